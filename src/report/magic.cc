#include "report/magic.h"

#include <magic.h>

#include <utility>

namespace weir::report {

void FileMagic::Free::operator()(magic_set* set) const { magic_close(set); }

std::string FileMagic::of(const std::string& beginning) {
  if (!std::exchange(tried_, true)) {
    set_.reset(magic_open(MAGIC_NONE));
    if (set_ && magic_load(set_.get(), nullptr) != 0) set_.reset();
  }
  if (!set_ || beginning.empty()) return {};
  const char* const text = magic_buffer(set_.get(), beginning.data(), beginning.size());
  return text == nullptr ? std::string() : std::string(text);
}

}  // namespace weir::report
