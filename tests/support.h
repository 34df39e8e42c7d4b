/* For the tests that run graphs: a device, reproducible contents, and one op run on a device or in double. */
#ifndef RHEO_TESTS_SUPPORT_H
#define RHEO_TESTS_SUPPORT_H

#include "graph/op.h"
#include "graph/params.h"
#include "graph/plan.h"
#include "graph/state.h"
#include "op/ops.h"

/* The device that RHEO_TEST_DEVICE names, or the default one; fails the test where there is none. */
rheo_device *test_device(void);

/* Contents as `fill` asks (graph/op.h), exact in float32 or uint32. Normals keep 0.01 away from 0, where some functions
 * have a kink. */
void test_fill(rheo_sample_fill fill, rheo_shape shape, uint64_t seed, double *out);

/* A storage of n values, bound as its state is; contents as doubles whatever the type and place. */
int test_storage(rheo_state *s, rheo_type type, int64_t count, const double *contents);
void test_read(rheo_state *s, int storage, double *out);
void test_write(rheo_state *s, int storage, const double *contents);

/* An empty graph over an empty state on dev, or in double where dev is NULL. */
typedef struct test_bench { rheo_state *s; rheo_graph *g; } test_bench;
test_bench test_start(rheo_device *dev);
void test_finish(test_bench *b);

/* Compiles the graph and runs it once; fails the test on any error. */
void test_run(rheo_graph *g, rheo_state *s);
void test_run_with(rheo_graph *g, rheo_state *s, const rheo_plan_options *options);

/* The gradient of a scalar over all trained parameters, flat as their storage. */
rheo_value test_packed_gradient(rheo_build *b, rheo_value loss);

/* Runs op on a sample with contents from seed; on dev, or in double where dev is NULL; out[k] has count[k] values. options may be
 * NULL. */
typedef struct test_result {
    int n_out;
    int64_t count[RHEO_MAX_OUT];
    double *out[RHEO_MAX_OUT], *all;
} test_result;
test_result test_op(const rheo_op *op, const rheo_op_sample *sample, rheo_device *dev, uint64_t seed, const rheo_plan_options *options);
void test_result_free(test_result *r);

/* The doctor's trainings of a tiny Glow and a tiny NCSN on the device, against double; fails the test where losses differ by more than
 * rounding makes of them. */
void test_trainings(void);

#endif
