// What kind of file some bytes are, as file(1) says it.
#pragma once

#include <memory>
#include <string>

struct magic_set;

namespace weir::report {

/// Purpose: libmagic, opened at the first question. Where its data are missing, every answer is empty.
class FileMagic {
 public:
  std::string of(const std::string& beginning);

 private:
  struct Free {
    void operator()(magic_set* set) const;
  };
  std::unique_ptr<magic_set, Free> set_;
  bool tried_ = false;
};

}  // namespace weir::report
