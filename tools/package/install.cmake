# What the library links to, and what `cmake --install` gives: header, library, and how CMake and pkg-config find them, without a path of
# this machine, so that all of it can be moved.
#
# The library is static, or shared with BUILD_SHARED_LIBS. The same objects make one of the other kind too: bench and tests look inside,
# which only a static one allows, and `cmake --install build --component shared` (or static) installs it in place of the usual.
include(CMakePackageConfigHelpers)

if(BUILD_SHARED_LIBS)
    set(RHEO_KIND shared)
    set(RHEO_OTHER_KIND static)
    add_library(rheo-other STATIC $<TARGET_OBJECTS:rheo>)
    add_library(rheo-inside ALIAS rheo-other)
else()
    set(RHEO_KIND static)
    set(RHEO_OTHER_KIND shared)
    add_library(rheo-other SHARED $<TARGET_OBJECTS:rheo>)
    add_library(rheo-inside ALIAS rheo)
endif()
get_target_property(include_folders rheo INTERFACE_INCLUDE_DIRECTORIES)
target_include_directories(rheo-other INTERFACE ${include_folders})
set_target_properties(rheo-other PROPERTIES OUTPUT_NAME rheo LINKER_LANGUAGE C)

# A file among the libraries is a name to those who link later: where it lies is their linker's to know.
set(dependencies "")
set(RHEO_PC_LIBRARIES "")
foreach(library ${RHEO_LIBRARIES})
    if(library MATCHES "^/.*/lib([^/]+)\\.(so|a|dylib)$")
        set(name ${CMAKE_MATCH_1})
        list(APPEND dependencies $<BUILD_INTERFACE:${library}> $<INSTALL_INTERFACE:${name}>)
    else()
        set(name ${library})
        list(APPEND dependencies ${library})
    endif()
    if(NOT name MATCHES "::")
        string(REGEX REPLACE "^-l" "" name ${name})
        string(APPEND RHEO_PC_LIBRARIES " -l${name}")
    endif()
endforeach()
target_link_libraries(rheo PRIVATE ${dependencies})
target_link_libraries(rheo-other PRIVATE ${dependencies})

# ---- packages ------------------------------------------------------------------------------------------------------

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/rheo)
file(RELATIVE_PATH RHEO_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" RHEO_PC_PREFIX ${RHEO_PC_PREFIX})
configure_file(tools/package/rheo.pc.in rheo.pc @ONLY)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/rheo-config-version.cmake COMPATIBILITY SameMinorVersion)

# One kind of the library with all that belongs to it; further arguments go to each install().
function(rheo_install target kind)
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/package-${kind})
    set_target_properties(${target} PROPERTIES EXPORT_NAME rheo VERSION ${PROJECT_VERSION} SOVERSION 0)
    install(TARGETS ${target} EXPORT rheo-${kind}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} ${ARGN}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ${ARGN})
    install(EXPORT rheo-${kind} NAMESPACE rheo:: FILE rheo-${kind}.cmake DESTINATION ${package_folder} ${ARGN})
    set(RHEO_KIND ${kind})
    configure_package_config_file(tools/package/rheo-config.cmake.in ${folder}/rheo-config.cmake INSTALL_DESTINATION ${package_folder})
    install(FILES ${folder}/rheo-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/rheo-config-version.cmake DESTINATION ${package_folder} ${ARGN})
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rheo.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig ${ARGN})
    install(DIRECTORY include/rheo DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${ARGN})
endfunction()
rheo_install(rheo ${RHEO_KIND})
rheo_install(rheo-other ${RHEO_OTHER_KIND} COMPONENT ${RHEO_OTHER_KIND} EXCLUDE_FROM_ALL)
