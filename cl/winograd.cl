// Winograd's minimal filtering of 3x3 windows (Lavin and Gray 2016) on CPUs, for conv2d_winograd.cl and its gradient; with the means of
// conv2d.cl and winograd_f23.cl or winograd_f43.cl, which come before it. A tile is OUT x OUT of the output, `dilation` apart, and the
// SEEN x SEEN of x which they see:
//
//   y = A' [ sum over i of (G w_i G') . (B' x_i B) ] A          . elementwise
//
// POINTS products a channel of x instead of 9 OUT OUT. At each point that is a matrix product, tiles by channels by columns.

#if RHEO_CPU
#define POINTS (SEEN * SEEN)
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

// to[SEEN p + q] = (G g G')[p, q], g[3 r + s] the window
static void transform_window(floatv to[POINTS], const floatv g[9])
{
    floatv t[3][SEEN];
#pragma unroll
    for (int s = 0; s < 3; ++s) filter_line(t[s], g[s], g[3 + s], g[6 + s]);
#pragma unroll
    for (int p = 0; p < SEEN; ++p) filter_line(to + SEEN * p, t[0][p], t[1][p], t[2][p]);
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
static int corner_h(spot s, tiling g) { return s.row + OUT * g.dilation * s.i; }
static int corner_w(spot s, tiling g) { return s.column + OUT * g.dilation * s.j; }

// at: the output's position there; high x wide of the tile are outputs, fewer than OUT x OUT at the edge.
static void place(spot s, tiling g, int OH, int OW, int *at, int *high, int *wide)
{
    const int h = corner_h(s, g), w = corner_w(s, g);
    *at = (s.n * OH + h) * OW + w;
    *high = clamp((OH - h + g.dilation - 1) / g.dilation, 0, OUT);
    *wide = clamp((OW - w + g.dilation - 1) / g.dilation, 0, OUT);
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

// to[p `apart` + :] = (L x L')[p] of `count` channels from c0 on, where LINE is L of N elements; from[N r + s] is x's row r, column s, or zeros
// outside of x. A vector that runs beyond the last of `channels` takes what is there, or with `careful` zeros.
#define SPREAD(name, N, LINE)                                                                                                       \
    static void name##_columns(floatv t[N][SEEN], const global float *const *from, int c, int n)                                    \
    {                                                                                                                               \
        _Pragma("unroll") for (int s = 0; s < N; ++s) {                                                                             \
            floatv x[N];                                                                                                            \
            _Pragma("unroll") for (int r = 0; r < N; ++r) x[r] = load_part(from[N * r + s] + c, n);                                 \
            LINE(t[s], x);                                                                                                          \
        }                                                                                                                           \
    }                                                                                                                               \
    NOINLINE static void name(float *to, int apart, const global float *const *from, int c0, int count, int channels, int careful)  \
    {                                                                                                                               \
        for (int c = c0; c < c0 + count; c += VEC, to += VEC) {                                                                     \
            floatv t[N][SEEN];                                                                                                      \
            if (careful && c + VEC > channels) name##_columns(t, from, c, channels - c);                                            \
            else name##_columns(t, from, c, VEC);                                                                                   \
            _Pragma("unroll") for (int r = 0; r < SEEN; ++r) {                                                                      \
                floatv x[N], line[SEEN];                                                                                            \
                _Pragma("unroll") for (int s = 0; s < N; ++s) x[s] = t[s][r];                                                       \
                LINE(line, x);                                                                                                      \
                _Pragma("unroll") for (int s = 0; s < SEEN; ++s) STORE(line[s], to + (SEEN * r + s) * apart);                       \
            }                                                                                                                       \
        }                                                                                                                           \
    }
SPREAD(transform_x, SEEN, input_line)           // B' x B

// to[N r + s] = (L m L')[r, s], where LINE is L to N elements; element p of m at m + p `apart`
#define GATHER(name, N, LINE)                                                                               \
    static void name(floatv to[N * N], const float *m, int apart)                                           \
    {                                                                                                       \
        floatv t[SEEN][N];                                                                                  \
        _Pragma("unroll") for (int s = 0; s < SEEN; ++s) {                                                  \
            floatv x[SEEN];                                                                                 \
            _Pragma("unroll") for (int r = 0; r < SEEN; ++r) x[r] = LOAD(m + (SEEN * r + s) * apart);       \
            LINE(t[s], x);                                                                                  \
        }                                                                                                   \
        _Pragma("unroll") for (int r = 0; r < N; ++r) {                                                     \
            floatv line[SEEN];                                                                              \
            _Pragma("unroll") for (int s = 0; s < SEEN; ++s) line[s] = t[s][r];                             \
            LINE(to + N * r, line);                                                                         \
        }                                                                                                   \
    }
GATHER(transform_y, OUT, output_line)           // A' m A
#endif
