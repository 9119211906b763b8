# Flags for every target of ours, kept on one INTERFACE target so that nothing leaks to users.
add_library(sluice_options INTERFACE)
target_compile_features(sluice_options INTERFACE cxx_std_20)
# Of nvcc's flags only those for the host's half are the compiler's; what it makes of a .cu file has code that -Wextra minds.
function(sluice_cxx_options)
  target_compile_options(sluice_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${ARGN}>")
endfunction()
sluice_cxx_options(-Wall -Wextra $<$<BOOL:${SLUICE_WERROR}>:-Werror>)
target_compile_options(sluice_options INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall;$<$<BOOL:${SLUICE_WERROR}>:-Werror=all-warnings>>")
# GCC 12 sees overlapping copies in `"text" + string` at -O2 where there are none (its bug 105651).
sluice_cxx_options($<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)

# Nobody replaces a function of the libraries from outside, so they call their own ones directly.
sluice_cxx_options(-fno-semantic-interposition)
target_link_options(sluice_options INTERFACE LINKER:-Bsymbolic-functions)

if(SLUICE_SANITIZE)
  sluice_cxx_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -g)
  target_link_options(sluice_options INTERFACE -fsanitize=${SLUICE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 loses track of what std::regex and std::variant initialise once sanitizers are woven in.
    sluice_cxx_options(-Wno-maybe-uninitialized)
  endif()
  if(SLUICE_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # ThreadSanitizer does not model fences. The channel's order atomics only: what they guard is
    # handed over by release and acquire, which it does model.
    sluice_cxx_options(-Wno-tsan)
  endif()
endif()

# One spelling of every include, "sluice/core/tensor.h", in the tree and after install.
set(SLUICE_INCLUDE_LINKS ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${SLUICE_INCLUDE_LINKS}/sluice)
foreach(layer core graphs nodes runtime)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${layer} ${SLUICE_INCLUDE_LINKS}/sluice/${layer} SYMBOLIC)
endforeach()
target_include_directories(sluice_options INTERFACE $<BUILD_INTERFACE:${SLUICE_INCLUDE_LINKS}>)

find_program(SLUICE_CCACHE ccache)
if(SLUICE_CCACHE AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SLUICE_CCACHE})
endif()
find_program(SLUICE_MOLD mold)
if(SLUICE_MOLD AND PROJECT_IS_TOP_LEVEL)
  add_link_options(-fuse-ld=mold)
endif()
