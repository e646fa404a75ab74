# SPDX-License-Identifier: Apache-2.0
# cmake -DOUT=x.c -DHEADER=providers/embedded.h -DARRAY=name -DDIR=folder -P EmbedFiles.cmake
#   writes a C file with every *.yaml of DIR, by name, as an array of struct embedded_file that ends with a NULL name.
file(GLOB files "${DIR}/*.yaml")
list(SORT files)
set(bodies "")
set(rows "")
set(number 0)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND bodies "static const unsigned char file_${number}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", (const char *)file_${number}, sizeof(file_${number}) - 1},\n")
  math(EXPR number "${number} + 1")
endforeach()
set(text "/* Made by cmake/EmbedFiles.cmake from ${number} files. */\n#include \"${HEADER}\"\n\n${bodies}\n")
string(APPEND text "const struct embedded_file ${ARRAY}[] = {\n${rows}    {0},\n};\n")
file(WRITE "${OUT}" "${text}")
