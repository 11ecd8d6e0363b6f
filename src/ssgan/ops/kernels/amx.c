/* Convolutions of bfloat16 maps on the matrix unit of a CPU (AMX); called by amx.py.

   Maps are [images][pixels][channels], channels are multiples of 32. A map becomes a grid, whose
   positions are numbered row by row, with zeros at its borders: in it every tap of a kernel is a
   constant offset. Tables of amx_tables.py say which pixel is where in a grid (-1: none).
   A product takes two tiles of 16 x 32 numbers by two of 32 x 16, and sums in float32. Both
   convolutions return 0, or 1 where there is no memory. */
#include <immintrin.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef uint16_t bf16;

static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} TILES = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

/* Ask the kernel for the tiles; returns whether it lets this process use them. */
int request_tiles(void) {
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

static void *allocate(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

static inline __m512i pixel(const bf16 *image, int32_t index, long channels, long c) {
    return index < 0 ? _mm512_setzero_si512() : _mm512_loadu_si512(image + index * channels + c);
}

/* (a0, b0, a1, b1, ...): the halves of two rows of 32 numbers, interleaved */
static inline void interleave(__m512i a, __m512i b, __m512i *low, __m512i *high) {
    const __m512i order = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8,
                                           39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    *low = _mm512_permutex2var_epi16(a, order, b);
    *high = _mm512_permutex2var_epi16(a, _mm512_add_epi16(order, _mm512_set1_epi16(16)), b);
}

/* 16 rows of 16 numbers of 32 bits, transposed in place */
static inline void transpose(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int k = 0; k < 2; k++) {
            r[i + 2 * k] = _mm512_unpacklo_epi64(t[i + k], t[i + k + 2]);
            r[i + 2 * k + 1] = _mm512_unpackhi_epi64(t[i + k], t[i + k + 2]);
        }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 16; k += 8) {
            t[k + i] = _mm512_shuffle_i32x4(r[k + i], r[k + 4 + i], 0x88);
            t[k + 4 + i] = _mm512_shuffle_i32x4(r[k + i], r[k + 4 + i], 0xdd);
        }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
        r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
    }
}

/* ---- transposed convolution ---- */

/* weights [taps][I / 32][2][16][16][2] of 32 output channels, from any strides */
static void pack_weights(bf16 *packed, const bf16 *weight, long inner, long outer_stride, long inner_stride,
                         const int64_t *taps, long count) {
    for (long tap = 0; tap < count; tap++)
        for (long i = 0; i < inner; i += 32, packed += 1024)
            for (long o = 0; o < 32; o++) {
                const bf16 *from = weight + taps[tap] + o * outer_stride + i * inner_stride;
                bf16 *to = packed + o / 16 * 512 + o % 16 * 2;
                for (long k = 0; k < 32; k += 2, to += 32) {
                    to[0] = from[k * inner_stride];
                    to[1] = from[(k + 1) * inner_stride];
                }
            }
}

/* tiles 0 .. 3: 32 positions x 32 output channels, or 16 positions */
static inline void multiply(const bf16 *grid, const bf16 *weights, const int32_t *offsets, long taps, long inner,
                            int both) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (long tap = 0; tap < taps; tap++) {
        const bf16 *rows = grid + offsets[tap] * inner;
        for (long i = 0; i < inner; i += 32, weights += 1024) {
            _tile_loadd(6, weights, 64);
            _tile_loadd(7, weights + 512, 64);
            _tile_loadd(4, rows + i, 2 * inner);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            if (both) {
                _tile_loadd(5, rows + 16 * inner + i, 2 * inner);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
    }
}

/* 32 channels of each position to its pixel, past the caches: the maps are larger */
static inline void write_pixels(const float *sums, bf16 *image, const int32_t *targets, long count, long channels,
                                long o, const float *bias) {
    __m512 low = bias ? _mm512_loadu_ps(bias + o) : _mm512_setzero_ps();
    __m512 high = bias ? _mm512_loadu_ps(bias + o + 16) : _mm512_setzero_ps();
    for (long m = 0; m < count; m++)
        if (targets[m] >= 0) {
            __m512 a = _mm512_add_ps(_mm512_load_ps(sums + 16 * m), low);
            __m512 b = _mm512_add_ps(_mm512_load_ps(sums + 512 + 16 * m), high);
            __m512i *to = (__m512i *)(image + (long)targets[m] * channels + o);
            _mm512_stream_si512(to, (__m512i)_mm512_cvtne2ps_pbh(b, a));
        }
}

/* images [batch][in_pixels][inner] -> out [batch][out_pixels][outer].
   Phase f of the output has the taps first[f] .. first[f + 1], and a target for each position. */
int convolve_transposed(const bf16 *images, const bf16 *weight, const float *bias, bf16 *out, long batch,
                         long in_pixels, long out_pixels, long inner, long outer, long inner_stride,
                         long outer_stride, const int64_t *taps, const int32_t *source, long size, long origin,
                         long phases, const int32_t *first, const int32_t *offsets, const int32_t *targets,
                         long positions) {
    long weights = first[phases] * inner * outer, place = (size + 32) * inner;
    bf16 *packed = allocate(2 * (weights + omp_get_max_threads() * place));
    if (!packed) return 1;
    #pragma omp parallel
    {
        #pragma omp for schedule(static) collapse(2)
        for (long f = 0; f < phases; f++)
            for (long o = 0; o < outer; o += 32)
                pack_weights(packed + (first[f] * outer + o * (first[f + 1] - first[f])) * inner,
                             weight + o * outer_stride, inner, outer_stride, inner_stride, taps + first[f],
                             first[f + 1] - first[f]);
        bf16 *grid = packed + weights + omp_get_thread_num() * place;
        float sums[1024] __attribute__((aligned(64)));
        memset(grid + size * inner, 0, 2 * 32 * inner);
        _tile_loadconfig(&TILES);
        #pragma omp for schedule(static)
        for (long n = 0; n < batch; n++) {
            const bf16 *image = images + n * in_pixels * inner;
            for (long q = 0; q < size; q++)
                for (long i = 0; i < inner; i += 32)
                    _mm512_store_si512(grid + q * inner + i, pixel(image, source[q], inner, i));
            for (long f = 0; f < phases; f++) {
                long count = first[f + 1] - first[f];
                for (long m = 0; m < positions; m += 32)
                    for (long o = 0; o < outer; o += 32) {
                        int both = m + 16 < positions;
                        multiply(grid + (origin + m) * inner, packed + (first[f] * outer + o * count) * inner,
                                 offsets + first[f], count, inner, both);
                        _tile_stored(0, sums, 64);
                        _tile_stored(1, sums + 512, 64);
                        _tile_stored(2, sums + 256, 64);
                        _tile_stored(3, sums + 768, 64);
                        write_pixels(sums, out + n * out_pixels * outer, targets + f * positions + m,
                                     positions - m < 32 ? positions - m : 32, outer, o, bias);
                    }
            }
        }
        _tile_release();
        _mm_sfence();
    }
    free(packed);
    return 0;
}

/* ---- gradient of the weight ---- */

/* tiles [c / 32][q / 32][32][32]: a map transposed, q < size (a multiple of 32); `blocks` of them for 32 channels */
static void fill_columns(bf16 *tiles, long blocks, const bf16 *image, const int32_t *source, long size,
                         long channels) {
    __m512i low[16], high[16];
    for (long q = 0; q < size; q += 32)
        for (long c = 0; c < channels; c += 32) {
            for (int k = 0; k < 16; k++)
                interleave(pixel(image, source[q + 2 * k], channels, c),
                           pixel(image, source[q + 2 * k + 1], channels, c), low + k, high + k);
            transpose(low);
            transpose(high);
            bf16 *tile = tiles + (c / 32 * blocks + q / 32) * 1024;
            for (int k = 0; k < 16; k++) {
                _mm512_store_si512(tile + 32 * k, low[k]);
                _mm512_store_si512(tile + 512 + 32 * k, high[k]);
            }
        }
}

/* pairs [c / 32][q / 2][32][2]: positions q and q + 1 interleaved, q < size (even), of `count` channels; `length`
   positions for 32 channels */
static void fill_pairs(bf16 *pairs, long length, const bf16 *image, const int32_t *source, long size, long channels,
                       long count) {
    for (long q = 0; q < size; q += 2)
        for (long c = 0; c < count; c += 32) {
            __m512i low, high;
            interleave(pixel(image, source[q], channels, c), pixel(image, source[q + 1], channels, c), &low, &high);
            bf16 *pair = pairs + (c / 32 * length + q) * 32;
            _mm512_store_si512(pair, low);
            _mm512_store_si512(pair + 32, high);
        }
}

/* sums [32][inner stride]: add columns (32 rows) times pairs (32 columns) over `many` images; a step of columns
   and a width of pairs belong to each */
static inline void accumulate(float *sums, long inner, const bf16 *columns, long step, const bf16 *pairs, long width,
                              long many, long begin, long end) {
    _tile_loadd(0, sums, 4 * inner);
    _tile_loadd(1, sums + 16, 4 * inner);
    _tile_loadd(2, sums + 16 * inner, 4 * inner);
    _tile_loadd(3, sums + 16 * inner + 16, 4 * inner);
    for (long g = 0; g < many; g++)
        for (long k = begin; k < end; k += 32) {
            const bf16 *a = columns + (g * step + k) * 32, *b = pairs + (g * width + k) * 32;
            _tile_loadd(6, b, 128);
            _tile_loadd(7, b + 32, 128);
            _tile_loadd(4, a, 64);
            _tile_loadd(5, a + 512, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    _tile_stored(0, sums, 4 * inner);
    _tile_stored(1, sums + 16, 4 * inner);
    _tile_stored(2, sums + 16 * inner, 4 * inner);
    _tile_stored(3, sums + 16 * inner + 16, 4 * inner);
}

/* out [outer][taps][inner] = sum over positions of gradient[position][o] * grid[position + tap][i].
   The gradient is transposed, the grids of all phases (`sources` has `width` entries for each) are stored as pairs,
   `block` channels at a time. An odd offset is an even one, of the gradient moved by a position: `targets` has `step`
   entries of it as it is, then as moved (of `moves`: 1 or 2). Each of `slices` threads sums over its images, `group`
   at a time, `chunk` positions at a time. */
int weight_gradient(const bf16 *images, const bf16 *gradient, float *out, long batch, long in_pixels,
                     long out_pixels, long inner, long outer, const int32_t *sources, long width, long phases,
                     long taps, const int32_t *tap_phase, const int32_t *offsets, const int32_t *targets, long moves,
                     long step, long block, long group, long chunk, long slices) {
    long total = taps * outer * inner, moved = outer * group * step, length = group * width;
    long place = moves * moved + phases * block * length;
    float *sums = allocate(4 * slices * total + 2 * slices * place);
    if (!sums) return 1;
    #pragma omp parallel num_threads(slices)
    {
        bf16 *columns = (bf16 *)(sums + slices * total) + omp_get_thread_num() * place;
        bf16 *pairs = columns + moves * moved;
        _tile_loadconfig(&TILES);
        #pragma omp for schedule(static)
        for (long slice = 0; slice < slices; slice++) {
            float *own = sums + slice * total;
            memset(own, 0, 4 * total);
            long last = (slice + 1) * batch / slices;
            for (long n = slice * batch / slices; n < last; n += group) {
                long many = last - n < group ? last - n : group;
                for (long g = 0; g < many; g++)
                    for (long move = 0; move < moves; move++)
                        fill_columns(columns + move * moved + g * step * 32, group * step / 32,
                                     gradient + (n + g) * out_pixels * outer, targets + move * step, step, outer);
                for (long first = 0; first < inner; first += block) {
                    for (long g = 0; g < many; g++)
                        for (long f = 0; f < phases; f++)
                            fill_pairs(pairs + (f * block * length + g * width * 32), length,
                                       images + (n + g) * in_pixels * inner + first, sources + f * width, width,
                                       inner, block);
                    for (long begin = 0; begin < step; begin += chunk)
                        for (long o = 0; o < outer; o += 32)
                            for (long i = 0; i < block; i += 32)
                                for (long t = 0; t < taps; t++)
                                    accumulate(own + (t * outer + o) * inner + first + i, inner,
                                               columns + offsets[t] % 2 * moved + o * group * step, step,
                                               pairs + (tap_phase[t] * block + i) * length + offsets[t] / 2 * 64,
                                               width, many, begin, begin + chunk < step ? begin + chunk : step);
                }
            }
        }
        _tile_release();
        #pragma omp for schedule(static) collapse(2)
        for (long o = 0; o < outer; o++)
            for (long t = 0; t < taps; t++)
                for (long i = 0; i < inner; i += 16) {
                    __m512 sum = _mm512_setzero_ps();
                    for (long slice = 0; slice < slices; slice++)
                        sum = _mm512_add_ps(sum, _mm512_load_ps(sums + slice * total + (t * outer + o) * inner + i));
                    _mm512_storeu_ps(out + (o * taps + t) * inner + i, sum);
                }
    }
    free(sums);
    return 0;
}
