# `find_package(Sluice)` gives Sluice::sluice, the library, and Sluice::nodes, the built-in nodes. The
# prefix may be moved after the installation.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Sluice)
file(RELATIVE_PATH bin_to_lib /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
set_target_properties(sluice sluice_nodes PROPERTIES INSTALL_RPATH "$ORIGIN")
set_target_properties(sluice_program PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}")

install(TARGETS sluice sluice_nodes sluice_program EXPORT SluiceTargets)
foreach(plugin onnxruntime openvino)
  if(NOT TARGET sluice_${plugin})
    continue()
  endif()
  set_target_properties(sluice_${plugin} PROPERTIES INSTALL_RPATH "$ORIGIN/..")
  install(TARGETS sluice_${plugin} DESTINATION ${CMAKE_INSTALL_LIBDIR}/sluice)
endforeach()
if(TARGET sluice_cuda)
  install(TARGETS sluice_cuda DESTINATION ${CMAKE_INSTALL_LIBDIR}/sluice)
endif()
install(EXPORT SluiceTargets NAMESPACE Sluice:: DESTINATION ${package_dir})
configure_package_config_file(cmake/SluiceConfig.cmake.in ${PROJECT_BINARY_DIR}/SluiceConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/SluiceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/SluiceConfig.cmake ${PROJECT_BINARY_DIR}/SluiceConfigVersion.cmake
  DESTINATION ${package_dir})

# All of the vocabulary and of the graph language; of the runtime what a host program holds.
foreach(layer core graphs)
  install(DIRECTORY ${layer}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/${layer} FILES_MATCHING PATTERN *.h)
endforeach()
install(FILES runtime/app_ports.h runtime/durations.h runtime/fifo.h runtime/ledger.h runtime/logging.h runtime/node_stats.h runtime/pipeline.h runtime/report.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/runtime)
install(FILES runtime/cli/cli.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/runtime/cli)
