// Frames into a capture file.
#pragma once

#include <utility>

#include "capture/pcap_writer.h"
#include "report/frame_sink.h"

namespace weir::report {

class PcapFrames : public FrameSink {
 public:
  explicit PcapFrames(capture::PcapWriter writer) : writer_(std::move(writer)) {}
  void write(TimeNs time, std::span<const std::byte> frame, std::uint32_t original_bytes) override { writer_.write(time, frame, original_bytes); }
  auto close() { return writer_.close(); }

 private:
  capture::PcapWriter writer_;
};

}  // namespace weir::report
