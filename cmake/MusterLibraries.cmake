# SPDX-License-Identifier: Apache-2.0
# Third-party libraries. wolfSSL is linked last everywhere: it exports six names of libssl (see docs/adr/0002-libraries.md).
# That alone does not help where libssl comes in behind Paho or curl only: the loader looks through a program's own
# libraries before theirs, so libssl's calls to itself would end in wolfSSL. Users of Paho and curl therefore name libssl
# themselves, first, and tests/integration/test_linkage.py looks at what the loader really binds.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(EXPAT REQUIRED expat)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(MNL REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(MHD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(KNOT REQUIRED IMPORTED_TARGET libknot libdnssec)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(WOLFSSL REQUIRED IMPORTED_TARGET wolfssl)
pkg_check_modules(QRENCODE REQUIRED IMPORTED_TARGET libqrencode)
pkg_check_modules(GD REQUIRED gdlib) # its headers: cli/label_png.c loads the library when it needs it
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
# Of the room that everything links, only the coordinator's programs call expat: the agent shall not need it on a device.
add_library(Muster::Expat INTERFACE IMPORTED)
target_link_libraries(Muster::Expat INTERFACE "-Wl,--push-state,--as-needed,-lexpat,--pop-state")
# Likewise: of all programs only those that open TLS connections of their own (net/tls.c) call OpenSSL themselves.
add_library(Muster::Tls INTERFACE IMPORTED)
target_link_libraries(Muster::Tls INTERFACE "-Wl,--push-state,--as-needed,-lssl,-lcrypto,--pop-state")
if(MUSTER_UPNP)
  pkg_check_modules(MINIUPNPC REQUIRED IMPORTED_TARGET miniupnpc)
endif()
if(MUSTER_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# Debian's Paho ships a CMake package without pkg-config file.
find_path(PAHO_INCLUDE_DIR MQTTAsync.h REQUIRED)
find_library(PAHO_LIBRARY paho-mqtt3as REQUIRED)
add_library(Paho::Async UNKNOWN IMPORTED)
set_target_properties(Paho::Async PROPERTIES IMPORTED_LOCATION "${PAHO_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${PAHO_INCLUDE_DIR}")

pkg_check_modules(SSL REQUIRED libssl)
foreach(target IN ITEMS Paho::Async PkgConfig::CURL)
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_OPTIONS
    "LINKER:--push-state,--no-as-needed,-lssl,--pop-state")
endforeach()
