# How every host target of the project is built: one set of warnings (errors, all of them), one set of sanitizers, includes
# from the root of the tree, so that an include names its folder: "control/config/model.hpp".

if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "(^|/)ccache$")
  # Else ccache keeps nothing of what takes a precompiled header. Nothing here has the time of its build in it.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

find_package(Boost 1.81 REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(GTest REQUIRED)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
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
  if(ASTIL_SANITIZE MATCHES "thread")
    # TSan does not follow fences. Those here order atomic accesses only, of which it reports nothing. And once it
    # instruments them, GCC 12 sees uninitialised members in optional ones.
    target_compile_options(astil_flags INTERFACE -Wno-tsan -Wno-maybe-uninitialized)
  endif()
endif()

# astil_library(NAME SOURCES... LINK LIBS...)
function(astil_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE astil_flags)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# astil_alone(SOURCES...): each is compiled by itself, also where the sources of a target are compiled several at a time
# (CMAKE_UNITY_BUILD, in which a header is read once for all of them).
function(astil_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# All that is not a test.
add_custom_target(astil_programs)

# astil_program(NAME SOURCES... LINK LIBS...)
function(astil_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} astil_flags)
  add_dependencies(astil_programs ${name})
endfunction()

# Test programs: those that the sanitizers watch every time, and the others. ctest knows the first by their label, `watched`.
add_custom_target(astil_watched_tests)
add_custom_target(astil_other_tests)

# So that ccache sees the precompiled header, or the same one twice.
set(ASTIL_PCH_FOR_CCACHE $<IF:$<CXX_COMPILER_ID:Clang>,SHELL:-Xclang -fno-pch-timestamp,-fpch-preprocess>)

# Precompiled, what nearly every test includes: that takes most of the time of compiling one. GCC takes it for sources
# that are compiled with the same flags and have no other header forced on them, as those of DPDK's have.
function(astil_test_headers)
  file(CONFIGURE OUTPUT test_headers.cpp CONTENT "")
  add_library(test_headers OBJECT ${CMAKE_CURRENT_BINARY_DIR}/test_headers.cpp)
  target_link_libraries(test_headers PRIVATE Boost::headers GTest::gmock_main astil_flags)
  target_compile_options(test_headers PRIVATE -O0 ${ASTIL_PCH_FOR_CCACHE})
  target_precompile_headers(test_headers PRIVATE
    <gmock/gmock.h> <boost/asio/ip/address.hpp> <boost/system/result.hpp> <functional>)
endfunction()

# astil_test(NAME SOURCES... LINK LIBS... [SHARDS NUMBER]): a GoogleTest program, run by ctest in so many parts, each of
# which is one process: what tests share, such as the kernel's programs, is made once in each. A part writes its report to
# results/ of the build folder. The tests themselves are not optimised, which takes more than half of the time of
# compiling them, most of all with sanitizers; what they test is. PLAIN: no sanitizer watches the tests themselves either,
# since nothing that they test is compiled with them. APART: its sources have the same names for things of their own.
# WATCHED: what it tests reads bytes that strangers wrote, or is the tables: sanitizers watch it in each run of the tests.
function(astil_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "APART;PLAIN;WATCHED" "SHARDS" "SOURCES;LINK")
  if(NOT arg_SHARDS)
    set(arg_SHARDS 1)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gmock_main astil_flags)
  target_compile_options(${name} PRIVATE -O0 ${ASTIL_PCH_FOR_CCACHE})
  if(arg_APART)
    astil_alone(${arg_SOURCES})
  endif()
  if(arg_PLAIN AND ASTIL_SANITIZE)
    target_compile_options(${name} PRIVATE -fno-sanitize=all)
  endif()
  target_precompile_headers(${name} REUSE_FROM test_headers)
  foreach(shard RANGE 1 ${arg_SHARDS})
    set(part ${name}.${shard})
    math(EXPR index "${shard} - 1")
    add_test(NAME ${part} COMMAND ${name})
    set(settings GTEST_TOTAL_SHARDS=${arg_SHARDS} GTEST_SHARD_INDEX=${index}
      GTEST_OUTPUT=xml:${CMAKE_BINARY_DIR}/results/${part}.xml)
    set_tests_properties(${part} PROPERTIES TIMEOUT 600 ENVIRONMENT "${settings}")
    if(arg_WATCHED)
      set_tests_properties(${part} PROPERTIES LABELS watched)
    endif()
  endforeach()
  if(arg_WATCHED)
    add_dependencies(astil_watched_tests ${name})
  else()
    add_dependencies(astil_other_tests ${name})
  endif()
endfunction()
