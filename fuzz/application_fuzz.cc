// Applications over streams: the first octet chooses the direction that speaks first; then pieces follow, each with one octet (direction, end,
// gap) and one of length.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "inspect/apps/application.h"

namespace {

using namespace weir;
using namespace weir::inspect;

class Reader : public apps::Sink {
 public:
  void on_stage(Stage stage, const Transaction& transaction, TimeNs) override {
    for (std::size_t b = 0; b < transaction.parts.size(); ++b) {
      const auto& part = transaction.parts[b];
      if (!part.present) continue;
      if (part.raw.first > part.raw.end || kBufferTable[b].stage == Stage::kStream) std::abort();
      for (const std::byte octet : part.bytes) sum += std::to_integer<unsigned>(octet);
    }
    if (stage == Stage::kStream) std::abort();
  }
  void on_file(const apps::FileRecord& record) override {
    if (record.complete && record.sha256.size() != 64) std::abort();
  }
  void on_file_data(std::uint64_t, std::span<const std::byte> bytes) override {
    for (const std::byte octet : bytes) sum += std::to_integer<unsigned>(octet);
  }
  unsigned sum = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const apps::ApplicationSettings settings = [] {
    Limits limits;
    limits.app_body_bytes = 1'024;
    limits.app_header_bytes = 4'096;
    limits.app_transactions = 8;
    limits.app_expansion_bytes = 65'536;
    return apps::ApplicationSettings(limits, true, true);
  }();
  Reader reader;
  apps::Application application;
  std::uint64_t at[2] = {0, 0};
  auto rest = std::as_bytes(std::span(data, size));
  while (rest.size() > 2) {
    const auto how = std::to_integer<unsigned>(rest[0]);
    const std::size_t length = std::min<std::size_t>(std::to_integer<std::size_t>(rest[1]) + 1, rest.size() - 2);
    const auto piece = rest.subspan(2, length);
    rest = rest.subspan(2 + length);
    const auto d = (how & 1U) != 0 ? Direction::kToClient : Direction::kToServer;
    if ((how & 0xf0U) == 0xf0U) {
      application.gap(settings, d, at[index(d)], 10, 1, reader);
      at[index(d)] += 10;
    } else if ((how & 0xf0U) == 0xe0U) {
      application.fin(settings, d, 1, reader);
    }
    if (!application.done()) application.data(settings, d, at[index(d)], piece, 1, reader);
    at[index(d)] += piece.size();
  }
  application.end(settings, 2, reader);
  return 0;
}
