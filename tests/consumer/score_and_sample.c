/* score_and_sample RUN OUT.png: the likelihoods of a flow's test images, and samples of it. */
#include <math.h>
#include <rheo/rheo.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    enum { IMAGES = 8, SAMPLES = 16 };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *flow = NULL;
    rheo_checkpoint_facts f;
    rheo_data test = { 0 };
    double nats[IMAGES];
    unsigned char *samples = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: %s RUN OUT.png\n", argv[0]);
        return 2;
    }
    rheo_status st = rheo_checkpoint_open(argv[1], NULL, NULL, &flow, &err);
    if (!st) st = rheo_checkpoint_data(flow, NULL, "test", 0, IMAGES, &test, &err);
    if (!st) st = rheo_log_prob(flow, test.x, test.n, 0, nats, &err);
    if (!st) {
        rheo_checkpoint_facts_of(flow, &f);
        const size_t dims = (size_t)f.h * f.w * f.c;
        for (uint32_t i = 0; i < test.n; i++) printf("image %u: %.4f bits/dim\n", i, -nats[i] / ((double)dims * log(2)));
        if (!(samples = malloc(SAMPLES * dims))) st = RHEO_ENOMEM;
    }
    if (!st) st = rheo_sample(flow, SAMPLES, 0.8, 1, samples, &err);
    if (!st) st = rheo_grid_write(argv[2], samples, SAMPLES, f.h, f.w, f.c, 0, NULL, &err);
    if (st) fprintf(stderr, "%s: %s\n", argv[0], *err.text ? err.text : rheo_status_text(st));
    free(samples);
    rheo_data_free(&test);
    rheo_checkpoint_close(flow);
    return st != RHEO_OK;
}
