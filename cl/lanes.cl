// Vectors at any address (PoCL makes several moves of vload and vstore), of which the first n >= 1 channels are meant: n >= VEC
// is all of them. Lanes beyond read 0 and are not written. n <= 0: an idle work-item.

typedef struct __attribute__((packed)) lanes_at { floatv v; } lanes_at;

static floatv lanes_load(const __global float *p, int n)
{
    if (n >= VEC) return ((const __global lanes_at *)p)->v;
    float t[VEC];
    for (int k = 0; k < VEC; k++) t[k] = k < n ? p[k] : 0.0f;
    return ((lanes_at *)t)->v;
}

static void lanes_store(floatv x, __global float *p, int n)
{
    if (n >= VEC) {
        ((__global lanes_at *)p)->v = x;
        return;
    }
    float t[VEC];
    ((lanes_at *)t)->v = x;
    for (int k = 0; k < n; k++) p[k] = t[k];
}

// Vectors of a row of c channels
#define LANES_OF(c) (((c) + VEC - 1) / VEC)
