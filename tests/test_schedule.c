/* Where a linear schedule ends under the clock, told seconds and steps instead of measuring them. */
#include <criterion/criterion.h>
#include <math.h>

#include "train/trainer.h"

/* Steps of 20 ms for MINUTE seconds, one of them of `slow` seconds in the middle of the fall; a report each half second, or each step where one
 * takes longer. The furthest that the part of the schedule that is done is from the part of the time that is over. */
enum { MINUTE = 60 };

static double furthest(double slow)
{
    double now = 0, reported = 0, end = RHEO_END_FAR_OFF, worst = 0;
    bool paused = false;
    for (double steps = 1; now < MINUTE; steps++) {
        const bool pause = !paused && now > 0.8 * MINUTE;
        now += pause ? slow : 0.02;
        paused |= pause;
        if (now - reported >= 0.5) {
            end = rheo_schedule_end(steps, now, MINUTE - now);
            reported = now;
            cr_assert_float_eq(steps / end, fmin(now / MINUTE, 1), 1e-12);
        }
        if (end < RHEO_END_FAR_OFF) worst = fmax(worst, fabs(steps / end - fmin(now / MINUTE, 1)));
    }
    return worst * MINUTE;
}

/* After a report both are the same. Up to the next the schedule advances for 0.5 s at the pace of the moment, 50 steps/s, where the mean after
 * the slow step is 48 (2,400 in 50 s): at most 0.5 s (50 / 48 - 1) = 0.0208 s too far. */
Test(schedule, a_slow_step_does_not_move_the_end)
{
    cr_expect(furthest(0.02) < 1e-9, "%g s", furthest(0.02));
    cr_expect(furthest(2) < 0.021, "%g s", furthest(2));
}

/* A run of 1,000 s goes on after 400 s, 5,000 steps; a pace of ten times that, for half a second, moves the end by 63 / 5,000. */
Test(schedule, resuming_goes_on_where_the_run_was)
{
    cr_expect_float_eq(rheo_schedule_end(5000, 400, 600), 12500, 1e-9);
    cr_expect_float_eq(rheo_schedule_end(5063, 400.5, 599.5), 12500 * (5063.0 / 5000) * (400 / 400.5), 1e-9);
}

Test(schedule, it_is_far_off_without_a_pace_and_over_without_time)
{
    cr_expect_eq(rheo_schedule_end(0, 10, 50), RHEO_END_FAR_OFF);
    cr_expect_eq(rheo_schedule_end(1, 0, 60), RHEO_END_FAR_OFF);
    cr_expect_eq(rheo_schedule_end(1, 1e-12, 60), RHEO_END_FAR_OFF);
    cr_expect_eq(rheo_schedule_end(300, 60, -1), 300);
}
