#pragma once

// Which sanitizers this build has, 1 or 0: GCC tells by a macro, clang by a feature.
#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_TEST_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define SLUICE_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_TEST_ASAN 1
#elif __has_feature(thread_sanitizer)
#define SLUICE_TEST_TSAN 1
#endif
#endif

#ifndef SLUICE_TEST_ASAN
#define SLUICE_TEST_ASAN 0
#endif
#ifndef SLUICE_TEST_TSAN
#define SLUICE_TEST_TSAN 0
#endif
