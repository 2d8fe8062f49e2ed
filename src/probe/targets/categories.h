// Which categories an address is in: those of the lists that name it, or a prefix around it. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "probe/targets/target_text.h"

namespace weir::probe::targets {

/// Purpose: see above. Memory: an entry for each line of a list. A value.
class Categories {
 public:
  void add(const Prefix& prefix, std::string_view category);
  /// Appends those of the address; one may come twice.
  void append(const IpAddress& address, std::vector<std::string>& into) const;

 private:
  std::map<unsigned, std::map<IpAddress, std::vector<std::uint32_t>>> by_bits_;  ///< a prefix's length, its address, places in names_
  std::vector<std::string> names_;
};

}  // namespace weir::probe::targets
