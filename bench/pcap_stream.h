// A pcap file written as a stream, fast enough to be no part of what is measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::bench {

/// Purpose: appends Ethernet packets with microsecond times to a file, or to standard output ("-").
/// Throws std::system_error where it cannot write.
class PcapStream {
 public:
  explicit PcapStream(const std::string& name);
  ~PcapStream();
  PcapStream(const PcapStream&) = delete;
  PcapStream& operator=(const PcapStream&) = delete;

  /// `headers` and `payload` make one packet.
  void write(std::span<const std::byte> headers, std::span<const std::byte> payload);
  void finish();

  /// Packet time goes on by this much with each packet.
  void set_pace(std::uint64_t microseconds) { pace_us_ = microseconds; }
  std::uint64_t now_us() const { return now_us_; }
  std::uint64_t packets() const { return packets_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void flush();
  void append(std::span<const std::byte> bytes);

  int descriptor_;
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
  std::uint64_t now_us_ = 1'700'000'000'000'000, pace_us_ = 12;
  std::uint64_t packets_ = 0, bytes_ = 0;
};

}  // namespace weir::bench
