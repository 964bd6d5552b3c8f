# The flags of our own targets: weir_options is linked by every one of them.
include(CheckCXXCompilerFlag)
include(CheckPIESupported)

add_library(weir_options INTERFACE)
target_include_directories(weir_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(weir_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(weir_options INTERFACE -Wthread-safety)
endif()

# assert() stays on in every build: our own mistakes end the process, they are not repaired.
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")

# Hardening; tests/integration/test_hardening.py looks at the programs for it.
target_compile_options(weir_options INTERFACE -fstack-protector-strong -fstack-clash-protection)
check_cxx_compiler_flag(-fcf-protection WEIR_HAS_CF_PROTECTION)  # x86 alone.
if(WEIR_HAS_CF_PROTECTION)
  target_compile_options(weir_options INTERFACE -fcf-protection)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT WEIR_SANITIZE)
  # It checks nothing without optimisation, and the sanitizers check more.
  target_compile_options(weir_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
else()
  # The standard library's own checks: in every build but the one that is shipped, where they are 5 to 6 % more
  # instructions in each step of a message's way (bench/micro/count: append, read, catch-up).
  target_compile_definitions(weir_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()
add_link_options(-Wl,-z,relro,-z,now -Wl,-z,noexecstack)
check_pie_supported(LANGUAGES CXX)

if(WEIR_SANITIZE)
  # A finding ends the program, so that what caused it fails, whatever the environment says.
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=${WEIR_SANITIZE})
  # g++ takes the sanitizers' own code for uses of what was never set, in the standard library and in Boost.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  # asio's fences: g++ says that TSan does not see atomic_thread_fence.
  if(WEIR_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)
  endif()
endif()
