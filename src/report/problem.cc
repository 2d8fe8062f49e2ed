#include "report/problem.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace weir::report {

Problem system_problem(std::string what, int error) {
  std::string why = std::generic_category().message(error);
  if (error == ENOSPC || error == EDQUOT) why += " (what was written so far is kept)";
  return {std::move(what), std::move(why), error == EPIPE};
}

}  // namespace weir::report
