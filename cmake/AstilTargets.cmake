# How every host target of the project is built: one set of warnings (errors, all of them), one set of sanitizers, includes
# from the root of the tree, so that an include names its folder: "control/config/model.hpp".

find_package(Boost 1.81 REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(LIBMNL REQUIRED IMPORTED_TARGET libmnl)
if(ASTIL_DPDK)
  pkg_check_modules(DPDK REQUIRED IMPORTED_TARGET libdpdk)
endif()

if(ASTIL_SANITIZE MATCHES "thread")
  # GCC 12's TSan refuses to run where the kernel spreads addresses wider than it knows (vm.mmap_rnd_bits above 28).
  set(CMAKE_CROSSCOMPILING_EMULATOR setarch -R)
endif()

add_library(astil_flags INTERFACE)
target_include_directories(astil_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(astil_flags INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wno-missing-field-initializers;-Wpedantic;-Wshadow;-Wconversion;-Wold-style-cast;-Wnon-virtual-dtor;-Woverloaded-virtual;-Werror;-fno-omit-frame-pointer;-fno-strict-aliasing>")
# The kernel's and C libraries' headers are not ours to warn about.
target_compile_definitions(astil_flags INTERFACE ASTIL_VERSION="${PROJECT_VERSION}" BOOST_ASIO_NO_DEPRECATED)
if(ASTIL_SANITIZE)
  target_compile_options(astil_flags INTERFACE -fsanitize=${ASTIL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(astil_flags INTERFACE -fsanitize=${ASTIL_SANITIZE})
  if(ASTIL_SANITIZE MATCHES "address")
    # GCC 12 sees dangling pointers in its own <regex> and coroutine frames once ASan instruments them.
    target_compile_options(astil_flags INTERFACE -Wno-maybe-uninitialized -Wno-dangling-pointer)
  endif()
endif()

# astil_library(NAME SOURCES... LINK LIBS...)
function(astil_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE astil_flags)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# astil_program(NAME SOURCES... LINK LIBS...)
function(astil_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} astil_flags)
endfunction()

# All test programs: what the sanitizer presets need to build.
add_custom_target(astil_tests)

# astil_test(NAME SOURCES... LINK LIBS...): a GoogleTest program, run by ctest case by case. The tests themselves are not
# optimised, which takes more than half of the time of compiling them, most of all with sanitizers; what they test is.
function(astil_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gmock_main astil_flags)
  target_compile_options(${name} PRIVATE -O0)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60)
  add_dependencies(astil_tests ${name})
endfunction()
