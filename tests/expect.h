/* For calls that return a status: both use the test's `rheo_error err`. */
#ifndef RHEO_TESTS_EXPECT_H
#define RHEO_TESTS_EXPECT_H

#include <criterion/criterion.h>
#include <string.h>

#include "rheo/rheo.h"

#define ASSERT_FAILS(call, code, words) do { \
        err = (rheo_error)RHEO_ERROR_INIT; \
        const rheo_status found_ = (call); \
        cr_assert_eq(found_, code, "%s: found status %d, expected %d: %s", #call, found_, code, err.text); \
        cr_assert(strstr(err.text, words), "found message '%s', expected '%s' in it", err.text, words); \
    } while (0)
#define ASSERT_OK(call) cr_assert_eq((call), RHEO_OK, "%s: %s", #call, err.text)

#endif
