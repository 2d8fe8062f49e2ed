// Packets that offload merged or left unfinished, as the wire has them: cut to size, with whole checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "wire/decode.h"

namespace weir::wire {

/// Purpose: does to a captured frame what a network card does to one that it sends (TCP segmentation and checksum offload), so
/// that a reader who knows nothing of offload sees ordinary segments. Octets of the stream, their order and all options stay.
/// Invariant: what is given is never longer than asked; a TCP checksum that was wrong stays wrong, however the segment is
/// cut: what a host throws away must not become right here.
/// Owns a buffer, in which frames that were changed are given: each is valid during its call. One owner, one thread.
class Segmentation {
 public:
  enum class Result : std::uint8_t {
    kAsItWas,   ///< given unchanged
    kFinished,  ///< given with a checksum made whole
    kCut,       ///< given as several
    kTooLong,   ///< not given: no TCP segment that could be cut (a datagram, a tunnel, a SYN or RST), and longer than asked
  };
  using Emit = std::function<void(std::span<const std::byte>)>;

  struct Asked {
    std::size_t ip_bytes = 1'500;        ///< longest IP packet: the MTU
    std::size_t at = 14;                 ///< octets of the link header: where the outermost IP packet begins
    bool trust_wrong_checksums = false;  ///< a wrong TCP checksum counts as right
  };
  /// `frame` is whole, link header first, and `decoded` what decode() says of it.
  Result operator()(std::span<const std::byte> frame, const Decoded& decoded, const Asked& asked, const Emit& emit);

 private:
  bool cut(std::span<const std::byte> frame, const Decoded& decoded, const Asked& asked, bool right, const Emit& emit);
  bool finish(std::span<const std::byte> frame, const Decoded& decoded);

  std::vector<std::byte> buffer_;
};

}  // namespace weir::wire
