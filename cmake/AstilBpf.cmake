# Programs for the kernel: C++20 compiled by clang for the BPF target. The rules that make it work are in
# docs/decisions/0001-one-packet-path.md.
find_program(ASTIL_BPF_CLANG NAMES clang++-14 clang++ REQUIRED)
find_program(ASTIL_LLVM_STRIP NAMES llvm-strip-14 llvm-strip REQUIRED)

file(GLOB ASTIL_BPF_STDLIB /usr/include/c++/12)
set(ASTIL_BPF_FLAGS
  -target bpf -std=c++20 -fno-exceptions -fno-rtti -O2 -g -mcpu=v3 -fno-strict-aliasing -Wall -Wextra -Werror -D__x86_64__
  -isystem ${ASTIL_BPF_STDLIB} -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/c++/12
  -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -I${CMAKE_SOURCE_DIR})

# Every build folder makes the same objects: what debug information would say of the folder is stripped away.
set(ASTIL_BPF_LAUNCHER "")
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
  set(ASTIL_BPF_LAUNCHER env CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

set(ASTIL_BPF_FROM "" CACHE PATH "A folder with the objects that another build of this tree made, to be used as they are")

# All objects: what builds that take them from another one need of it.
add_custom_target(astil_bpf_objects)

# astil_bpf(NAME SOURCE [DEFINITIONS...]): NAME.o in the build folder of bpf/; target NAME; its path in NAME_OBJECT.
function(astil_bpf name source)
  cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set(object ${CMAKE_BINARY_DIR}/bpf/${name}.o)
  set(${name}_OBJECT ${object} CACHE INTERNAL "")
  if(ASTIL_BPF_FROM)
    set(made ${ASTIL_BPF_FROM}/${name}.o)
    add_custom_command(OUTPUT ${object} COMMAND ${CMAKE_COMMAND} -E copy ${made} ${object} DEPENDS ${made} VERBATIM)
    add_custom_target(${name} DEPENDS ${object})
    add_dependencies(astil_bpf_objects ${name})
    return()
  endif()
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${ASTIL_BPF_LAUNCHER} ${ASTIL_BPF_CLANG} ${ASTIL_BPF_FLAGS} ${ARGN} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    COMMAND ${ASTIL_LLVM_STRIP} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "Building BPF object ${name}" VERBATIM)
  add_custom_target(${name} DEPENDS ${object})
  add_dependencies(astil_bpf_objects ${name})
endfunction()

# astil_embed_bpf(TARGET NAME [SYMBOL]): the object NAME.o as bytes in the library TARGET: SYMBOL, by default
# astil_embedded_program, and SYMBOL_end.
function(astil_embed_bpf target name)
  set(symbol astil_embedded_program)
  if(ARGC GREATER 2)
    set(symbol ${ARGV2})
  endif()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embed_${name}.S)
  file(WRITE ${source}
    ".section .rodata\n.balign 8\n.globl ${symbol}\n${symbol}:\n.incbin \"${${name}_OBJECT}\"\n"
    ".globl ${symbol}_end\n${symbol}_end:\n.section .note.GNU-stack,\"\",@progbits\n")
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${${name}_OBJECT})
  target_sources(${target} PRIVATE ${source})
  add_dependencies(${target} ${name})
endfunction()
