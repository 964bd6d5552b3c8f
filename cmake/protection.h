// The compiler includes this ahead of every file of ours (-include, in WeirCompiler.cmake). What protects
// follows from what the compiler does, never from the name of a build type: the flags of a packager count as
// well.
#pragma once

// assert() stays on: our own mistakes end the process, they are not repaired.
#undef NDEBUG

// The C library's checks. They need the optimiser, and the sanitizers check more.
#undef _FORTIFY_SOURCE
#if defined(__OPTIMIZE__) && !defined(WEIR_SANITIZED)
#define _FORTIFY_SOURCE 3
#else
// The standard library's own checks: in every build but those that are shipped, where they are 5 to 6 % more
// instructions in each step of a message's way (bench/micro/count: append, read, catch-up).
#ifndef _GLIBCXX_ASSERTIONS
#define _GLIBCXX_ASSERTIONS
#endif
#endif
