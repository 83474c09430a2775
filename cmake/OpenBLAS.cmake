# OpenBLAS from the Python package scipy-openblas32 of the interpreter that builds.
#
# It is loaded at run time, on first use, from a path relative to the module: it takes 25 MB and a
# thread pool that small programs never need. So there is a file to ship with its licence, and neither
# a header nor linking: objects do not depend on where the package is. (Stripping the file would gain
# 3 % of its size.)
#
#   TAPEGRAD_OPENBLAS_LIBRARY   path of the shared library
#   TAPEGRAD_OPENBLAS_NAME      its file name
#   TAPEGRAD_OPENBLAS_LICENSE   path of its licence; empty if the package has none

execute_process(COMMAND "${Python_EXECUTABLE}" -c [[
from importlib.metadata import files
import scipy_openblas32 as blas
licenses = [f for f in files("scipy-openblas32") or () if f.name.startswith("LICENSE")]
license = licenses[0].locate() if licenses else ""
print(blas.get_lib_dir(), blas.get_library(), license, sep=";")
]]
  OUTPUT_VARIABLE openblas OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "No scipy-openblas32 for ${Python_EXECUTABLE}; try: pip install scipy-openblas32")
endif()

list(GET openblas 0 directory)
list(GET openblas 1 library)
list(GET openblas 2 TAPEGRAD_OPENBLAS_LICENSE)
set(TAPEGRAD_OPENBLAS_NAME "lib${library}${CMAKE_SHARED_LIBRARY_SUFFIX}")
set(TAPEGRAD_OPENBLAS_LIBRARY "${directory}/${TAPEGRAD_OPENBLAS_NAME}")
if(NOT EXISTS "${TAPEGRAD_OPENBLAS_LIBRARY}")
  message(FATAL_ERROR "scipy-openblas32 has no ${TAPEGRAD_OPENBLAS_LIBRARY}")
endif()

# For use from the build tree: a link to the library in `folder`.
function(tapegrad_link_openblas folder)
  file(MAKE_DIRECTORY "${folder}")
  file(CREATE_LINK "${TAPEGRAD_OPENBLAS_LIBRARY}" "${folder}/${TAPEGRAD_OPENBLAS_NAME}"
    COPY_ON_ERROR SYMBOLIC)
endfunction()

# For a wheel: the library, with its licence beside it, in `destination`.
function(tapegrad_install_openblas destination)
  install(PROGRAMS "${TAPEGRAD_OPENBLAS_LIBRARY}" DESTINATION "${destination}")
  if(TAPEGRAD_OPENBLAS_LICENSE)
    install(FILES "${TAPEGRAD_OPENBLAS_LICENSE}" DESTINATION "${destination}"
      RENAME LICENSE.openblas.txt)
  endif()
endfunction()
