# Builds tests/install/consumer and runs what it makes. HOW is moved_prefix or subdirectory.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(arguments -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}
  -DCMAKE_CXX_FLAGS=${FLAGS} -DEXAMPLE=${SOURCE}/examples/embedding)

if(HOW STREQUAL moved_prefix)
  file(REMOVE_RECURSE ${WORK})
  file(MAKE_DIRECTORY ${WORK})
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
  file(RENAME ${WORK}/first ${WORK}/moved)
  list(APPEND arguments -DCMAKE_PREFIX_PATH=${WORK}/moved)
else()
  # What was built is kept: only what changed is built again.
  list(APPEND arguments -DSLUICE_SOURCE=${SOURCE} -DCMAKE_BUILD_TYPE=None)
endif()

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${WORK}/build ${arguments})
run(${CMAKE_COMMAND} --build ${WORK}/build --target consumer --target sluice_embedding --parallel)
run(${WORK}/build/consumer version)
run(${WORK}/build/consumer show text.reverse)
run(${WORK}/build/embedding/sluice_embedding)

if(HOW STREQUAL moved_prefix)
  run(${WORK}/moved/bin/sluice show image.decode)
  run(${WORK}/build/consumer show image.decode)
endif()
