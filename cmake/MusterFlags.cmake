# SPDX-License-Identifier: Apache-2.0
# Options and flags, carried by the interface target muster_flags: nothing global.
option(MUSTER_TESTS "Build the tests, the simulator and the benchmarks" ON)
option(MUSTER_WERROR "Warnings are errors (set by the presets)" OFF)
option(MUSTER_FUZZ "Build libFuzzer targets (clang)" OFF)
set(MUSTER_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")
option(MUSTER_COVERAGE "Instrument for coverage" OFF)
option(MUSTER_HARDEN "FORTIFY, stack protector, full RELRO, PIE" OFF)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(muster_flags INTERFACE)
target_include_directories(muster_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(muster_flags INTERFACE _GNU_SOURCE MUSTER_VERSION="${PROJECT_VERSION}")
target_compile_options(muster_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wpointer-arith -Wcast-align -Wwrite-strings -Wundef -Wformat=2 -Wvla -Wnull-dereference
  -Wimplicit-fallthrough -Wdouble-promotion -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(muster_flags INTERFACE -Wlogical-op -Wduplicated-cond)
endif()
if(MUSTER_WERROR)
  target_compile_options(muster_flags INTERFACE -Werror)
endif()
if(MUSTER_SANITIZE)
  target_compile_options(muster_flags INTERFACE -fsanitize=${MUSTER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(muster_flags INTERFACE -fsanitize=${MUSTER_SANITIZE})
  target_sources(muster_flags INTERFACE
    "$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:${CMAKE_SOURCE_DIR}/cmake/sanitizers.c>")
endif()
if(MUSTER_FUZZ)
  target_compile_options(muster_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(muster_flags INTERFACE -fsanitize=address,undefined)
endif()
if(MUSTER_COVERAGE)
  target_compile_options(muster_flags INTERFACE --coverage)
  target_link_options(muster_flags INTERFACE --coverage)
endif()
if(MUSTER_HARDEN)
  target_compile_options(muster_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
    -fstack-clash-protection -fcf-protection)
  target_link_options(muster_flags INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
  include(CheckPIESupported)
  check_pie_supported()
endif()
