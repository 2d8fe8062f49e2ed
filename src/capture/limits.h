// Bounds of what a capture may claim. They are the formats' and not the user's: libpcap and Wireshark have the same.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::capture {

/// Octets of one packet. The largest snapshot length that libpcap allows; a longer record is taken for a corrupt one.
inline constexpr std::uint32_t kMaxCaptured = 262'144;
/// Octets of a pcapng Interface Description Block that are looked at for its name and clock; both stand near its start.
inline constexpr std::uint32_t kMaxInterfaceBlock = 65'536;
/// Interfaces that one section of a pcapng file may declare: as many as there are capture points.
inline constexpr std::size_t kMaxInterfaces = 65'535;
/// Packets that a caller asks for at once: enough to fetch table entries ahead, few enough to stay in the cache.
inline constexpr std::size_t kBatch = 64;
/// Octets of a buffer of a streamed source. Half a 1 MiB second-level cache, so that what was read is still there when it is parsed.
inline constexpr std::size_t kChunk = 512 << 10;
/// Octets of a mapped file that stay resident behind the reader, and the step in which older ones are let go. They come
/// back from the page cache if something kept by reference is looked at again.
inline constexpr std::size_t kResident = 64 << 20;
inline constexpr std::size_t kLetGo = 32 << 20;

static_assert(kChunk >= kMaxCaptured + 64, "a record fits into a chunk");
static_assert(kLetGo <= kResident);

}  // namespace weir::capture
