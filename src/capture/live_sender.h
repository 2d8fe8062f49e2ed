// Frames out on a network interface, in batches, without ever waiting for whoever listens there.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace weir::capture {

/// What became of the frames given. Grow only.
struct SendCounters {
  std::uint64_t packets = 0;         ///< that the kernel took
  std::uint64_t bytes = 0;           ///< of these, link headers included
  std::uint64_t dropped = 0;         ///< that it had no room for
  std::uint64_t interface_down = 0;  ///< while the interface was down or away
  std::uint64_t refused = 0;         ///< for another reason (too long for the interface after its MTU was changed)

  SendCounters& operator+=(const SendCounters& more);
};

/// Purpose: sends Ethernet frames: a frame that the kernel does not take at once is dropped and counted.
/// Limits: kFrames frames or kBytes octets wait for flush(), which the next one beyond that does by itself.
/// Ownership: its own descriptor, so that each thread has a sender; it is made by OutputInterface. One owner, one thread.
class LiveSender {
 public:
  static constexpr std::size_t kFrames = 64;
  static constexpr std::size_t kBytes = 256 << 10;

  /// A packet socket (`device` false), on the interface whose number stands in `number` when a frame goes; or the descriptor of a TAP interface.
  LiveSender(int descriptor, bool device, std::shared_ptr<const std::atomic<unsigned>> number);
  LiveSender(LiveSender&& other) noexcept;
  LiveSender& operator=(LiveSender&&) = delete;
  ~LiveSender();

  void send(std::span<const std::byte> frame);
  void flush();
  const SendCounters& counters() const { return counters_; }

 private:
  void send_packets();
  void write_device();
  std::span<const std::byte> frame(std::size_t i) const;
  /// frame(i) was not taken. True: nor will those behind it.
  bool count_failure(std::size_t i, int error);

  int descriptor_;
  bool device_;
  std::shared_ptr<const std::atomic<unsigned>> number_;
  std::vector<std::byte> octets_;
  std::vector<std::size_t> ends_;  ///< of the frames in octets_
  SendCounters counters_;
};

}  // namespace weir::capture
