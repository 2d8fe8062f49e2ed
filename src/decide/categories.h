// Categories of names: which of the operator's lists a host name or address stands in, subdomains of what is listed included.
#pragma once

#include <bitset>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.h"

namespace weir::decide {

/// Purpose: millions of names, each with the set of categories that it is in. A look-up costs one hash of each suffix of the asked name, however many
/// names there are. Invariant: names lie one behind the other in one text, the table holds their places; equal sets of categories are one.
/// Bounds: kMostCategories, kMostNameText. Threads: filled by one; then read by any.
class Categories {
 public:
  static constexpr std::size_t kMostCategories = 256;
  static constexpr std::size_t kMostNameText = 1U << 30;  ///< octets of all names together; the place of one has 32 bits
  using Set = std::bitset<kMostCategories>;

  Categories();
  ~Categories();
  Categories(const Categories&) = delete;
  Categories& operator=(const Categories&) = delete;

  /// The number of a category of that name, a new one where there is none; nothing: there are too many.
  std::optional<std::size_t> category(std::string_view name);
  std::optional<std::size_t> find(std::string_view name) const;
  std::string_view name(std::size_t category) const { return names_.at(category); }

  enum class Added : std::uint8_t { kAdded, kOdd, kFull };  ///< odd: no host name or address; full: kMostNameText
  /// A host name in any case, with or without "*." in front, or an address.
  Added add(std::size_t category, std::string_view entry);

  /// Of a host name in lower case, and of every name above it.
  Set of(std::string_view host) const;
  Set of(const IpAddress& address) const;

  std::size_t size() const { return table_.size() + addresses_.size(); }

 private:
  struct Place {
    std::uint32_t begin = 0;
    std::uint8_t bytes = 0;
  };
  struct Hash {
    using is_transparent = void;
    const std::string* text;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
    std::size_t operator()(const Place& place) const { return (*this)(std::string_view(*text).substr(place.begin, place.bytes)); }
  };
  struct Equal {
    using is_transparent = void;
    const std::string* text;
    std::string_view of(const Place& place) const { return std::string_view(*text).substr(place.begin, place.bytes); }
    static std::string_view of(std::string_view name) { return name; }
    bool operator()(const auto& a, const auto& b) const { return of(a) == of(b); }
  };
  struct AddressHash {
    std::size_t operator()(const IpAddress& address) const {
      return std::hash<std::string_view>{}({reinterpret_cast<const char*>(address.octets.data()), address.octets.size()});
    }
  };

  std::uint32_t with(std::uint32_t set, std::size_t category);

  std::vector<std::string> names_;
  std::unique_ptr<std::string> text_;                                   ///< has its place for good: the table's functions point to it
  boost::unordered_flat_map<Place, std::uint32_t, Hash, Equal> table_;  ///< to a place in sets_
  boost::unordered_flat_map<IpAddress, std::uint32_t, AddressHash> addresses_;
  std::vector<Set> sets_;                                                ///< the first is empty
  std::map<std::pair<std::uint32_t, std::size_t>, std::uint32_t> with_;  ///< set and category to the set of both
};

}  // namespace weir::decide
