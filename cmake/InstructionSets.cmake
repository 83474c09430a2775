# Which instruction sets exist for the target processor, their compiler flags, and which of them
# this machine can run.
#
#   TAPEGRAD_ALL_ISAS        every set for the target processor, weakest first
#   TAPEGRAD_FLAGS_<set>     compiler flags of a set
#   TAPEGRAD_FLAGS_baseline  flags of everything that is not a kernel
#   TAPEGRAD_RUNNABLE_ISAS   the sets that this machine can run
#   TAPEGRAD_NATIVE_ISA      the last of these

include(CheckCXXSourceRuns)

# On a cross build the processor of the target counts, not ours.
if(CMAKE_OSX_ARCHITECTURES)
  set(processor "${CMAKE_OSX_ARCHITECTURES}")
else()
  set(processor "${CMAKE_SYSTEM_PROCESSOR}")
endif()

if(processor MATCHES "^(x86_64|AMD64|amd64)$")
  set(TAPEGRAD_ALL_ISAS v2 v3 v4)
  set(TAPEGRAD_FLAGS_v2 -march=x86-64-v2)
  set(TAPEGRAD_FLAGS_v3 -march=x86-64-v3)
  set(TAPEGRAD_FLAGS_v4 -march=x86-64-v4)
  set(TAPEGRAD_FLAGS_baseline -march=x86-64-v2)
  set(feature_v2 "sse4.2")
  set(feature_v3 "avx2" "fma" "bmi2")
  set(feature_v4 "avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl")
elseif(processor MATCHES "^(aarch64|arm64)$")
  set(TAPEGRAD_ALL_ISAS neon)
  set(TAPEGRAD_FLAGS_neon "")
  set(TAPEGRAD_FLAGS_baseline "")
else()
  message(FATAL_ERROR "tapegrad has no kernels for the processor '${processor}'")
endif()

# __builtin_cpu_supports also asks whether the operating system saves the wide registers.
function(_tapegrad_detect)
  set(runnable)
  foreach(isa IN LISTS TAPEGRAD_ALL_ISAS)
    set(condition "1")
    foreach(feature IN LISTS feature_${isa})
      string(APPEND condition " && __builtin_cpu_supports(\"${feature}\")")
    endforeach()
    check_cxx_source_runs("int main() { return (${condition}) ? 0 : 1; }" TAPEGRAD_CAN_RUN_${isa})
    if(NOT TAPEGRAD_CAN_RUN_${isa})
      break()
    endif()
    list(APPEND runnable ${isa})
  endforeach()
  set(TAPEGRAD_RUNNABLE_ISAS "${runnable}" PARENT_SCOPE)
  list(GET runnable -1 native)
  set(TAPEGRAD_NATIVE_ISA "${native}" PARENT_SCOPE)
endfunction()
_tapegrad_detect()

# "all", "native" or a list -> a list that is known to be valid.
function(tapegrad_resolve_isas wanted result)
  if(wanted STREQUAL "all")
    set(wanted "${TAPEGRAD_ALL_ISAS}")
  elseif(wanted STREQUAL "native")
    set(wanted "${TAPEGRAD_NATIVE_ISA}")
  endif()
  foreach(isa IN LISTS wanted)
    if(NOT isa IN_LIST TAPEGRAD_ALL_ISAS)
      message(FATAL_ERROR
        "TAPEGRAD_ISAS: '${isa}' is none of ${TAPEGRAD_ALL_ISAS}, nor 'all' or 'native'")
    endif()
  endforeach()
  set(${result} "${wanted}" PARENT_SCOPE)
endfunction()
