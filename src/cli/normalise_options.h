// Onto which interface the normalised traffic goes, and what of it: --normalise-* and the configuration's sensor.normalise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "capture/output_interface.h"
#include "report/normalise.h"

namespace weir::cli {

/// Each as far as it was given; the command line's win over the file's.
struct NormaliseOptions {
  static constexpr std::uint32_t kStandardMtu = 1'500, kMostMtu = 65'535;  ///< bytes

  std::string interface;  ///< empty: none
  std::optional<capture::CreateLink> create;
  std::optional<std::uint32_t> mtu_bytes;  ///< of one that is made
  std::optional<report::OtherPackets> others;

  /// What these leave open is taken from `more`.
  void complete(const NormaliseOptions& more);
};

std::optional<capture::CreateLink> create_link_of(std::string_view word);
std::optional<report::OtherPackets> other_packets_of(std::string_view word);
inline constexpr std::string_view kCreateWords = "none, dummy, tap, veth", kOtherWords = "all, tcp, none";

}  // namespace weir::cli
