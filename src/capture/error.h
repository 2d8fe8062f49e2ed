// What went wrong with a capture: a value, told once by whoever shows it to people.
#pragma once

#include <cstdint>
#include <string>

namespace weir::capture {

struct Error {
  std::string file;
  std::uint64_t offset = 0;  ///< octets from the start of the file (of its uncompressed form), where it concerns a place
  std::string what;          ///< as in "is cut off: the record there needs 60 octets, 12 are left"
  std::string hint;          ///< what to do about it; empty if nothing is known to help

  friend bool operator==(const Error&, const Error&) = default;
};

/// "FILE: WHAT (at octet OFFSET; HINT)", without what does not apply.
std::string to_string(const Error& error);

}  // namespace weir::capture
