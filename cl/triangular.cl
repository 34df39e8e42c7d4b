// Solves y T = x for many rows x at once. Unknowns are taken in the order in which they can be solved, p = 0 .. c-1; the host
// gives where things lie in that order: column p of a row at x_at + p x_step, the coefficient with which solved unknown a
// enters the equation of unknown b at t_at + a ta + b tb. So lower, upper and transposed are one kernel.
//
// A work-item solves VEC rows, SOLVE_COLUMNS unknowns at a time: the solved ones are subtracted first, then the small
// triangle is solved. work holds what is solved, c vectors a work-item.

#define SOLVE_COLUMNS 8
#if RHEO_CPU
#define SOLVED(p) ((int)get_global_id(0) * c + (p))
#else
#define SOLVED(p) ((p) * (int)get_global_size(0) + (int)get_global_id(0))      // neighbours read neighbours
#endif

__kernel void solve_triangular(__global const float *x, __global const float *t, __global float *y, __global float *work, int rows,
                               int c, int x_at, int x_step, int t_at, int ta, int tb, int unit)
{
    FOR_ITEMS(group, (rows + VEC - 1) / VEC) {
        const int row = group * VEC;
        for (int p = 0; p < c; p += SOLVE_COLUMNS) {
            const int columns = min(SOLVE_COLUMNS, c - p);
            floatv s[SOLVE_COLUMNS];
            int coefficient[SOLVE_COLUMNS];
            float lane[VEC];
            for (int k = 0; k < SOLVE_COLUMNS; ++k) {
                const int b = min(p + k, c - 1);        // surplus columns repeat the last; they are not stored
                for (int j = 0; j < VEC; ++j) lane[j] = x[min(row + j, rows - 1) * c + x_at + b * x_step];
                s[k] = vloadv(0, lane);
                coefficient[k] = t_at + b * tb;
            }
            for (int a = 0; a < p; ++a) {
                const floatv v = vloadv(SOLVED(a), work);
                for (int k = 0; k < SOLVE_COLUMNS; ++k) s[k] = RHEO_FMA(-v, (floatv)(t[coefficient[k] + a * ta]), s[k]);
            }
            for (int k = 0; k < columns; ++k) {
                for (int a = 0; a < k; ++a) s[k] = RHEO_FMA(-s[a], (floatv)(t[coefficient[k] + (p + a) * ta]), s[k]);
                if (!unit) s[k] /= t[coefficient[k] + (p + k) * ta];
                vstorev(s[k], SOLVED(p + k), work);
                vstorev(s[k], 0, lane);
                for (int j = 0; j < VEC && row + j < rows; ++j) y[(row + j) * c + x_at + (p + k) * x_step] = lane[j];
            }
        }
    }
}
