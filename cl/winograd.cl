// Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray 2016) on CPUs, for conv2d_winograd.cl and its gradient; with the means of conv2d.cl,
// which comes before it. A tile is 2x2 of the output, `dilation` apart, and the 4x4 of x which they see:
//
//   y = A' [ sum over i of (G w_i G') . (B' x_i B) ] A          . elementwise
//
// 16 products a channel of x instead of 36. At each of the 16 points that is a matrix product, tiles by channels by columns.

#if RHEO_CPU
#define GAP 16                  // rows an odd number of cache lines apart share no set

// ---- vectors of which a part is meant -------------------------------------------------------------------------------------

// The first n of a vector's elements, zeros after them.
static floatv load_part(const global float *from, int n)
{
    float row[VEC];
    if (n >= VEC) return LOAD_GLOBAL(from);
#pragma unroll
    for (int j = 0; j < VEC; ++j) row[j] = j < n ? from[j] : 0.0f;
    return LOAD(row);
}

static void store_part(floatv x, global float *to, int n)
{
    float row[VEC];
    if (n >= VEC) {
        STORE_GLOBAL(x, to);
        return;
    }
    STORE(x, row);
    for (int j = 0; j < n; ++j) to[j] = row[j];
}

// ---- weights --------------------------------------------------------------------------------------------------------------

// to[4 p + q] = (G g G')[p, q], g[3 r + s] the window
static void transform_window(floatv to[16], const floatv g[9])
{
    floatv t[12];
#pragma unroll
    for (int s = 0; s < 3; ++s) {
        const floatv sum = 0.5f * (g[s] + g[6 + s]), middle = 0.5f * g[3 + s];
        t[s] = g[s];
        t[3 + s] = sum + middle;
        t[6 + s] = sum - middle;
        t[9 + s] = g[6 + s];
    }
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        const floatv sum = 0.5f * (t[3 * p] + t[3 * p + 2]), middle = 0.5f * t[3 * p + 1];
        to[4 * p] = t[3 * p];
        to[4 * p + 1] = sum + middle;
        to[4 * p + 2] = sum - middle;
        to[4 * p + 3] = t[3 * p + 2];
    }
}

// ---- tiles ----------------------------------------------------------------------------------------------------------------

// Tiles lie down x across in each residue class of rows and columns modulo the dilation, class by class, image by image.
typedef struct tiling { int down, across, dilation; } tiling;
typedef struct spot { int n, row, column, i, j; } spot;     // image, class, tile there

static spot spot_of(int t, tiling g)
{
    const int line = t / g.across, residue = line / g.down, row = residue / g.dilation;
    const spot s = { row / g.dilation, row % g.dilation, residue % g.dilation, line % g.down, t % g.across };
    return s;
}

static void step_on(spot *s, tiling g)
{
    if (++s->j < g.across) return;
    s->j = 0;
    if (++s->i < g.down) return;
    s->i = 0;
    if (++s->column < g.dilation) return;
    s->column = 0;
    if (++s->row < g.dilation) return;
    s->row = 0;
    ++s->n;
}

// The output's position at a tile's corner.
static int corner_h(spot s, tiling g) { return s.row + 2 * g.dilation * s.i; }
static int corner_w(spot s, tiling g) { return s.column + 2 * g.dilation * s.j; }

// at: the output's position there; high x wide of the tile's 2x2 are outputs, fewer at the edge.
static void place(spot s, tiling g, int OH, int OW, int *at, int *high, int *wide)
{
    const int h = corner_h(s, g), w = corner_w(s, g);
    *at = (s.n * OH + h) * OW + w;
    *high = h + g.dilation < OH ? 2 : h < OH;
    *wide = w + g.dilation < OW ? 2 : w < OW;
}

// from[k] = the line of x's channels at row h + k / side dilation, column w + k % side dilation, or zeros outside.
static void window(const global float **from, const global float *x, const global float *zeros, int n, int h, int w, int side,
                   int dilation, int H, int W, int C)
{
    for (int r = 0; r < side; ++r, h += dilation) {
        for (int s = 0; s < side; ++s, ++from) {
            const int at = w + s * dilation;
            *from = (uint)h < (uint)H && (uint)at < (uint)W ? x + ((size_t)(n * H + h) * W + at) * C : zeros;
        }
    }
}

// t = B' x of a vector of channels at c, of which n are meant; from[4 r + s] is x's row r, column s, or zeros outside of x.
static void combine_rows(floatv t[16], const global float *const *from, int c, int n)
{
#pragma unroll
    for (int s = 0; s < 4; ++s) {
        const floatv x0 = load_part(from[s] + c, n), x1 = load_part(from[4 + s] + c, n);
        const floatv x2 = load_part(from[8 + s] + c, n), x3 = load_part(from[12 + s] + c, n);
        t[s] = x0 - x2;
        t[4 + s] = x1 + x2;
        t[8 + s] = x2 - x1;
        t[12 + s] = x1 - x3;
    }
}

// to[p `apart` + :] = (B' x B)[p] of `count` channels from c0 on. A vector that runs beyond the last of `channels` takes what is there, or
// with `careful` zeros.
NOINLINE static void transform_x(float *to, int apart, const global float *const *from, int c0, int count, int channels, int careful)
{
    for (int c = c0; c < c0 + count; c += VEC, to += VEC) {
        floatv t[16];
        if (careful && c + VEC > channels) combine_rows(t, from, c, channels - c);
        else combine_rows(t, from, c, VEC);
#pragma unroll
        for (int r = 0; r < 16; r += 4) {
            STORE(t[r] - t[r + 2], to + r * apart);
            STORE(t[r + 1] + t[r + 2], to + (r + 1) * apart);
            STORE(t[r + 2] - t[r + 1], to + (r + 2) * apart);
            STORE(t[r + 1] - t[r + 3], to + (r + 3) * apart);
        }
    }
}

// y[2 r + s] = (A' m A)[r, s], element p of m at m + p `apart`
static void transform_y(floatv y[4], const float *m, int apart)
{
    floatv t[8];
#pragma unroll
    for (int s = 0; s < 4; ++s) {
        const floatv m0 = LOAD(m + s * apart), m1 = LOAD(m + (4 + s) * apart), m2 = LOAD(m + (8 + s) * apart), m3 = LOAD(m + (12 + s) * apart);
        t[s] = m0 + m1 + m2;
        t[4 + s] = m1 - m2 - m3;
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        y[2 * r] = t[4 * r] + t[4 * r + 1] + t[4 * r + 2];
        y[2 * r + 1] = t[4 * r + 1] - t[4 * r + 2] - t[4 * r + 3];
    }
}
#endif
