// Which form saved octets have, by the number that they begin with.
#pragma once

#include <cstdint>
#include <optional>

namespace weir {

/// `name`: seven octets and a zero, in whose place the form's digit stands.
constexpr std::uint64_t magic_of(std::uint64_t name, unsigned form) { return name + '0' + form; }

/// nullopt: none of those from `oldest`, at least 1, to `newest`.
constexpr std::optional<unsigned> form_of(std::uint64_t magic, std::uint64_t name, unsigned oldest, unsigned newest) {
  for (unsigned form = newest; form >= oldest; --form) {
    if (magic == magic_of(name, form)) return form;
  }
  return std::nullopt;
}

}  // namespace weir
