// What went wrong on the way out: said once, as `weir: WHAT: WHY`.
#pragma once

#include <string>

namespace weir::report {

struct Problem {
  std::string what;    ///< the file, directory or interface
  std::string why;     ///< and a hint where there is one
  bool quiet = false;  ///< the reader has gone (EPIPE): no one wants to be told
};

/// The Problem that errno stands for.
Problem system_problem(std::string what, int error);

}  // namespace weir::report
