// One step of an optimizer over flat arrays. Every output may be the input of its name: an element is read before it is written,
// by the work-item that writes it. A closed gate (0) copies, whatever the gradient holds.
// grid: items of VEC elements

enum { ADAM, ADAMAX, ADAMW, ADAMAX_GLOW };      // as in host/op/ops.h

void store_some(floatv x, __global float *p, int n)
{
    float lane[VEC];
    vstorev(x, 0, lane);
    for (int j = 0; j < n; ++j) p[j] = lane[j];
}

floatv load_item(__global const float *p, int item, int count)
{
    const int at = item * VEC;
    return at + VEC <= count ? vloadv(item, p) : load_some(p + at, count - at);
}

void store_item(floatv x, __global float *p, int item, int count)
{
    const int at = item * VEC;
    if (at + VEC <= count) vstorev(x, item, p);
    else store_some(x, p + at, count - at);
}

// log_beta, one_minus_beta: of beta in double, rounded once. 1 - beta^t = -expm1(t log beta) keeps its digits at small t.
__kernel void adam(__global const float *theta, __global const float *m, __global const float *v, __global const float *grad,
                   __global const float *lr, __global const float *scale, __global const float *gate, __global const float *t,
                   __global float *theta_out, __global float *m_out, __global float *v_out, int count, int kind, float beta1,
                   float beta2, float one_minus_beta1, float one_minus_beta2, float log_beta1, float log_beta2, float epsilon,
                   float weight_decay)
{
    const float correct1 = -expm1(t[0] * log_beta1), correct2 = -expm1(t[0] * log_beta2);
    const float rate = lr[0], s = scale[0], step = rate / correct1, root = sqrt(correct2);
    const int open = gate[0] != 0.0f;
    FOR_ITEMS(i, (count + VEC - 1) / VEC) {
        floatv p = load_item(theta, i, count), a = load_item(m, i, count), b = load_item(v, i, count);
        if (open) {
            floatv g = load_item(grad, i, count) * s;
            if (kind == ADAMW) p -= rate * weight_decay * p;
            else g += weight_decay * p;
            a = beta1 * a + one_minus_beta1 * g;
            if (kind == ADAMAX) {
                b = fmax(beta2 * b, fabs(g) + epsilon);
                p -= step * a / b;
            } else if (kind == ADAMAX_GLOW) {
                b = fmax(beta2 * b, fabs(g));
                p -= step * root * a / (b + epsilon);
            } else {
                b = beta2 * b + one_minus_beta2 * g * g;
                p -= step * a / (sqrt(b) / root + epsilon);
            }
        }
        store_item(p, theta_out, i, count);
        store_item(a, m_out, i, count);
        store_item(b, v_out, i, count);
    }
}

// out = decay average + (1 - decay) theta
__kernel void ema(__global const float *average, __global const float *theta, __global const float *decay, __global const float *gate,
                  __global float *out, int count)
{
    const float d = decay[0], rest = 1.0f - d;
    const int open = gate[0] != 0.0f;
    FOR_ITEMS(i, (count + VEC - 1) / VEC) {
        floatv x = load_item(average, i, count);
        if (open) x = d * x + rest * load_item(theta, i, count);
        store_item(x, out, i, count);
    }
}

// Sum of squares of the finite elements and count of the others: a group for each `length` elements, then one for all groups.
// partial[3 g ..]: high, low, count
__kernel void norm2_parts(__global const float *x, __global float *partial, int count, int length, __local float2 *shared)
{
    const int group = (int)get_group_id(0), first = group * length, n = min(length, count - first);
    sum squares = sum_zero(), others = sum_zero();      // counts are exact as they are
    x += first;
    for (int i = (int)get_local_id(0); i < (n + VEC - 1) / VEC; i += (int)get_local_size(0)) {
        const floatv y = load_item(x, i, n), finite = select((floatv)(0.0f), y, isfinite(y));
        sum_add(&squares, finite * finite);
        others.s += select((floatv)(1.0f), (floatv)(0.0f), isfinite(y));
    }
    const float2 total = sum_group(sum_lanes(squares), shared);
    barrier(CLK_LOCAL_MEM_FENCE);
    const float2 bad = sum_group(sum_lanes(others), shared);
    if (get_local_id(0) == 0) {
        partial[3 * group] = total.x;
        partial[3 * group + 1] = total.y;
        partial[3 * group + 2] = bad.x;
    }
}

__kernel void norm2_total(__global const float *partial, __global float *out, int parts, __local float2 *shared)
{
    float2 squares = (float2)(0.0f, 0.0f), others = (float2)(0.0f, 0.0f);
    for (int i = (int)get_local_id(0); i < parts; i += (int)get_local_size(0)) {
        squares = pair_add(squares, (float2)(partial[3 * i], partial[3 * i + 1]));
        others = pair_add(others, (float2)(partial[3 * i + 2], 0.0f));
    }
    const float2 total = sum_group(squares, shared);
    barrier(CLK_LOCAL_MEM_FENCE);
    const float2 bad = sum_group(others, shared);
    if (get_local_id(0) == 0) {
        out[0] = total.x + total.y;
        out[1] = bad.x + bad.y;
    }
}
