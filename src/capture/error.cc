#include "capture/error.h"

namespace weir::capture {

std::string to_string(const Error& error) {
  std::string text = error.file + ": " + error.what;
  std::string rest;
  if (error.offset != 0) rest = "at octet " + std::to_string(error.offset);
  if (!error.hint.empty()) rest += (rest.empty() ? "" : "; ") + error.hint;
  if (!rest.empty()) text += " (" + rest + ")";
  return text;
}

}  // namespace weir::capture
