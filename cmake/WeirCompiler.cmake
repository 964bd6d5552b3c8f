# The flags of our own targets: weir_options is linked by every one of them.
include(CheckCXXCompilerFlag)
include(CheckPIESupported)

add_library(weir_options INTERFACE)
target_include_directories(weir_options INTERFACE ${PROJECT_SOURCE_DIR})
# Warnings are errors where CMAKE_COMPILE_WARNING_AS_ERROR says so: in our presets. Elsewhere a compiler that we have not
# met may warn of more than we know.
target_compile_options(weir_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(weir_options INTERFACE -Wthread-safety)
endif()
# GCC bug 105651: at -O2 and above g++ 12 sees overlaps of 2^63 bytes inside of std::string's own operator+ and insert().
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(weir_options INTERFACE -Wno-restrict)
endif()

# Hardening; tests/integration/test_hardening.py looks at the programs for it.
target_compile_options(weir_options INTERFACE
  "SHELL:-include \"${CMAKE_CURRENT_LIST_DIR}/protection.h\"" -fstack-protector-strong)
# Not on every processor.
check_cxx_compiler_flag(-fstack-clash-protection WEIR_HAS_STACK_CLASH_PROTECTION)
if(WEIR_HAS_STACK_CLASH_PROTECTION)
  target_compile_options(weir_options INTERFACE -fstack-clash-protection)
endif()
check_cxx_compiler_flag(-fcf-protection WEIR_HAS_CF_PROTECTION)
if(WEIR_HAS_CF_PROTECTION)
  target_compile_options(weir_options INTERFACE -fcf-protection)
endif()
add_link_options(-Wl,-z,relro,-z,now -Wl,-z,noexecstack)
check_pie_supported(LANGUAGES CXX)

if(WEIR_SANITIZE)
  target_compile_definitions(weir_options INTERFACE WEIR_SANITIZED)
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
