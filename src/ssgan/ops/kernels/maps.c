/* Batch norm, ReLU, sums over pixels and maxima of bfloat16 maps (AVX512-BF16); called by normalize.py and maps.py.

   Maps are [batch][pixels][channels], channels are multiples of 16. Sums over an image are float32,
   those over a batch float64. Every function returns 0, or 1 where there is no memory. */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t bf16;

static inline __m512 load(const bf16 *from) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline void store(bf16 *to, __m512 value) {
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(value));
}

static float *allocate(size_t numbers) { return aligned_alloc(64, (4 * numbers + 63) / 64 * 64); }

/* ---- ReLU and sums ---- */

/* what a ReLU lets pass: positive numbers and NaN, by the order of their bits */
static inline __mmask32 passes(__m512i x) {
    const __m512i minus_infinity = _mm512_set1_epi16((short)0xff80);
    return _mm512_cmpgt_epi16_mask(x, _mm512_setzero_si512()) | _mm512_cmpgt_epu16_mask(x, minus_infinity);
}

/* out = relu(inputs), which may be the same; `count` is a multiple of 32 */
int relu(const bf16 *inputs, bf16 *out, long count) {
    #pragma omp parallel for schedule(static)
    for (long i = 0; i < count; i += 32) {
        __m512i x = _mm512_loadu_si512(inputs + i);
        _mm512_storeu_si512(out + i, _mm512_maskz_mov_epi16(passes(x), x));
    }
    return 0;
}

/* out = gradient where relu's output was not 0 */
int relu_backward(const bf16 *gradient, const bf16 *activated, bf16 *out, long count) {
    #pragma omp parallel for schedule(static)
    for (long i = 0; i < count; i += 32) {
        __mmask32 kept = passes(_mm512_loadu_si512(activated + i));
        _mm512_storeu_si512(out + i, _mm512_maskz_loadu_epi16(kept, gradient + i));
    }
    return 0;
}

/* sums [channels] over images and pixels */
int sum_pixels(const bf16 *maps, float *sums, long batch, long pixels, long channels) {
    float *each = allocate(batch * channels);
    if (!each) return 1;
    #pragma omp parallel
    {
        #pragma omp for schedule(static)
        for (long n = 0; n < batch; n++) {
            float *own = each + n * channels;
            memset(own, 0, 4 * channels);
            for (long p = 0; p < pixels; p++)
                for (long c = 0; c < channels; c += 16) {
                    __m512 value = load(maps + (n * pixels + p) * channels + c);
                    _mm512_store_ps(own + c, _mm512_add_ps(_mm512_load_ps(own + c), value));
                }
        }
        #pragma omp for schedule(static)
        for (long c = 0; c < channels; c++) {
            double total = 0;
            for (long n = 0; n < batch; n++) total += each[n * channels + c];
            sums[c] = total;
        }
    }
    free(each);
    return 0;
}

/* ---- maxima ---- */

/* bits of numbers to integers of the same order, and back */
static inline __m512i order(__m512i x) {
    return _mm512_xor_si512(x, _mm512_and_si512(_mm512_srai_epi16(x, 15), _mm512_set1_epi16(0x7fff)));
}

/* out [batch][rows][columns][channels]: maxima over 3 x 3 pixels inside the image; `channels` is a multiple of 32 */
int maximum3x3(const bf16 *maps, bf16 *out, long batch, long height, long width, long channels, long rows,
                long columns, long stride, long padding) {
    #pragma omp parallel for collapse(2) schedule(static)
    for (long n = 0; n < batch; n++)
        for (long row = 0; row < rows; row++)
            for (long column = 0; column < columns; column++) {
                long top = row * stride - padding, left = column * stride - padding;
                long bottom = top + 3 < height ? top + 3 : height, right = left + 3 < width ? left + 3 : width;
                top = top < 0 ? 0 : top;
                left = left < 0 ? 0 : left;
                for (long c = 0; c < channels; c += 32) {
                    __m512i most = _mm512_set1_epi16(-0x8000);
                    for (long y = top; y < bottom; y++)
                        for (long x = left; x < right; x++)
                            most = _mm512_max_epi16(
                                most, order(_mm512_loadu_si512(maps + ((n * height + y) * width + x) * channels + c)));
                    _mm512_storeu_si512(out + ((n * rows + row) * columns + column) * channels + c, order(most));
                }
            }
    return 0;
}

/* ---- batch norm ---- */

/* mean and sum of squared distances from it, of one image */
static void find_moments(const bf16 *image, long pixels, long channels, float *mean, float *squares) {
    const __m512 share = _mm512_set1_ps(1.0f / pixels);
    memset(mean, 0, 4 * channels);
    memset(squares, 0, 4 * channels);
    for (long p = 0; p < pixels; p++)
        for (long c = 0; c < channels; c += 16)
            _mm512_store_ps(mean + c, _mm512_add_ps(_mm512_load_ps(mean + c), load(image + p * channels + c)));
    for (long c = 0; c < channels; c += 16) _mm512_store_ps(mean + c, _mm512_mul_ps(_mm512_load_ps(mean + c), share));
    for (long p = 0; p < pixels; p++)
        for (long c = 0; c < channels; c += 16) {
            __m512 distance = _mm512_sub_ps(load(image + p * channels + c), _mm512_load_ps(mean + c));
            _mm512_store_ps(squares + c, _mm512_fmadd_ps(distance, distance, _mm512_load_ps(squares + c)));
        }
}

/* batch norm, gain and shift of an image as one product and one sum */
static void fill_scales(float *scales, float *offsets, long channels, const float *gain, const float *shift,
                        const float *mean, const float *inverse) {
    for (long c = 0; c < channels; c++) {
        scales[c] = gain[c] * inverse[c];
        offsets[c] = shift[c] - mean[c] * scales[c];
    }
}

/* out = relu((inputs - mean) / sqrt(variance + epsilon) * gain + shift).
   Gain and shift are [batch][channels], or [channels] with a stride of 0 between images. Writes mean and inverse deviation [channels]; moves the running statistics. */
int normalize(const bf16 *inputs, bf16 *out, long batch, long pixels, long channels, const float *gain,
               const float *shift, long stride, float *mean, float *inverse, float *running_mean,
               float *running_variance, float momentum, float epsilon, long rectify) {
    float *means = allocate(2 * batch * channels), *squares = means + batch * channels;
    if (!means) return 1;
    const double count = (double)batch * pixels;
    const __m512 least = _mm512_set1_ps(rectify ? 0.0f : -INFINITY);
    #pragma omp parallel
    {
        #pragma omp for schedule(static)
        for (long n = 0; n < batch; n++)
            find_moments(inputs + n * pixels * channels, pixels, channels, means + n * channels,
                         squares + n * channels);
        #pragma omp for schedule(static)
        for (long c = 0; c < channels; c++) {
            double middle = 0, total = 0;
            for (long n = 0; n < batch; n++) middle += means[n * channels + c];
            middle /= batch;
            for (long n = 0; n < batch; n++) {
                double distance = means[n * channels + c] - middle;
                total += squares[n * channels + c] + pixels * distance * distance;
            }
            mean[c] = middle;
            inverse[c] = 1 / sqrt(total / count + epsilon);
            running_mean[c] += momentum * (middle - running_mean[c]);
            running_variance[c] += momentum * (total / (count - 1) - running_variance[c]);
        }
        float scales[channels], offsets[channels];
        #pragma omp for schedule(static)
        for (long n = 0; n < batch; n++) {
            fill_scales(scales, offsets, channels, gain + n * stride, shift + n * stride, mean, inverse);
            for (long p = 0; p < pixels; p++)
                for (long c = 0; c < channels; c += 16) {
                    long at = (n * pixels + p) * channels + c;
                    __m512 z = _mm512_fmadd_ps(load(inputs + at), _mm512_loadu_ps(scales + c), _mm512_loadu_ps(offsets + c));
                    store(out + at, _mm512_max_ps(least, z)); /* a NaN in the second place stays */
                }
        }
    }
    free(means);
    return 0;
}

/* From the gradient of out, those of inputs, gain and shift; the latter two for each image,
   [batch][channels], whatever the stride. */
int normalize_backward(const bf16 *gradient, const bf16 *inputs, bf16 *out, long batch, long pixels, long channels,
                        const float *gain, const float *shift, long stride, const float *mean, const float *inverse,
                        float *gain_gradient, float *shift_gradient, long rectify) {
    const __m512 zero = _mm512_setzero_ps();
    const double count = (double)batch * pixels;
    float *constants = allocate(2 * channels), *slopes = constants + channels;
    if (!constants) return 1;
    #pragma omp parallel
    {
        float scales[channels], offsets[channels];
        #pragma omp for schedule(static)
        for (long n = 0; n < batch; n++) {
            float *to_gain = gain_gradient + n * channels, *to_shift = shift_gradient + n * channels;
            memset(to_gain, 0, 4 * channels);
            memset(to_shift, 0, 4 * channels);
            fill_scales(scales, offsets, channels, gain + n * stride, shift + n * stride, mean, inverse);
            for (long p = 0; p < pixels; p++)
                for (long c = 0; c < channels; c += 16) {
                    long at = (n * pixels + p) * channels + c;
                    __m512 x = load(inputs + at), g = load(gradient + at);
                    __m512 z = _mm512_fmadd_ps(x, _mm512_loadu_ps(scales + c), _mm512_loadu_ps(offsets + c));
                    __mmask16 passes = rectify ? _mm512_cmp_ps_mask(z, zero, _CMP_NLE_UQ) : 0xffff;
                    __m512 shifted = _mm512_sub_ps(x, _mm512_loadu_ps(mean + c));
                    __m512 old = _mm512_loadu_ps(to_shift + c);
                    _mm512_storeu_ps(to_shift + c, _mm512_mask_add_ps(old, passes, old, g));
                    old = _mm512_loadu_ps(to_gain + c);
                    _mm512_storeu_ps(to_gain + c, _mm512_mask3_fmadd_ps(g, shifted, old, passes));
                }
            for (long c = 0; c < channels; c++) to_gain[c] *= inverse[c];
        }
        #pragma omp for schedule(static)
        for (long c = 0; c < channels; c++) {
            double sum = 0, product = 0;
            for (long n = 0; n < batch; n++) {
                sum += (double)gain[n * stride + c] * shift_gradient[n * channels + c];
                product += (double)gain[n * stride + c] * gain_gradient[n * channels + c];
            }
            slopes[c] = -product / count * inverse[c] * inverse[c];
            constants[c] = -sum / count * inverse[c] - slopes[c] * mean[c];
        }
        #pragma omp for schedule(static)
        for (long n = 0; n < batch; n++) {
            fill_scales(scales, offsets, channels, gain + n * stride, shift + n * stride, mean, inverse);
            for (long p = 0; p < pixels; p++)
                for (long c = 0; c < channels; c += 16) {
                    long at = (n * pixels + p) * channels + c;
                    __m512 x = load(inputs + at), g = load(gradient + at), scale = _mm512_loadu_ps(scales + c);
                    __m512 z = _mm512_fmadd_ps(x, scale, _mm512_loadu_ps(offsets + c));
                    __mmask16 passes = rectify ? _mm512_cmp_ps_mask(z, zero, _CMP_NLE_UQ) : 0xffff;
                    __m512 rest = _mm512_fmadd_ps(x, _mm512_loadu_ps(slopes + c), _mm512_loadu_ps(constants + c));
                    store(out + at, _mm512_mask3_fmadd_ps(g, scale, rest, passes));
                }
        }
    }
    free(constants);
    return 0;
}
