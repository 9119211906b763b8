# The headers of cuDNN's C++ front end, which runtime/cuda/libraries is built with: SLUICE_CUDNN_FRONTEND_INCLUDE_DIR, or
# not found. cmake/fetch_cudnn_frontend.sh puts them where they are looked for first.
set(cache "$ENV{XDG_CACHE_HOME}")
if(NOT cache)
  set(cache "$ENV{HOME}/.cache")
endif()
find_path(SLUICE_CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h HINTS ${cache}/sluice/cudnn_frontend/include
  DOC "Where the headers of cuDNN's front end are")
