// exp(x) - 1 for x <= 0; above -0.5, where it cancels, Taylor's series to x^8 (the next term is below 2^-27 of the sum).
static floatv elu(floatv x)
{
    const floatv q = ((2.48015873e-5f * x + 1.98412698e-4f) * x + 1.38888889e-3f) * x + 8.33333333e-3f;
    const floatv p = (((q * x + 4.16666667e-2f) * x + 1.66666667e-1f) * x + 0.5f) * x + 1.0f;
    const floatv negative = select(exp(x) - 1.0f, x * p, x > -0.5f);
    return select(negative, x, x > 0.0f);
}
