# Every library comes from the distribution. Those without a CMake config are found by pkg-config.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)

# Debian's cpp-httplib is a compiled library: without the Cflags of its .pc file sizeof(httplib::Request)
# differs between it and us, and memory is corrupted silently.
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(spdlog REQUIRED IMPORTED_TARGET spdlog)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)
pkg_check_modules(nlohmann_json REQUIRED IMPORTED_TARGET nlohmann_json)

# Header-only: standalone asio (it has no .pc file everywhere) and CLI11.
find_path(ASIO_INCLUDE_DIR asio.hpp REQUIRED)
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
add_library(weir_asio INTERFACE)
target_include_directories(weir_asio SYSTEM INTERFACE ${ASIO_INCLUDE_DIR})
target_compile_definitions(weir_asio INTERFACE ASIO_STANDALONE ASIO_NO_DEPRECATED
  # asio 1.22 takes memory from aligned_alloc or from operator new by what was included before it: two files of one
  # program could disagree on how it is given back.
  ASIO_DISABLE_STD_ALIGNED_ALLOC)
target_link_libraries(weir_asio INTERFACE Threads::Threads)
