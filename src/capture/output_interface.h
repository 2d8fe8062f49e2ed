// An interface that others listen on: one that is there, or one made for the purpose.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "capture/error.h"
#include "capture/link_control.h"
#include "capture/live_sender.h"

namespace weir::capture {

enum class CreateLink : std::uint8_t {
  kNone,
  kDummy,  ///< listeners see the frames as outgoing; nobody else ever sees them
  kTap,    ///< as incoming; gone with its descriptor, however the program ends
  kVeth,   ///< as incoming, on the end that has the name given; the other end, NAME-tx, is where they are sent
};

struct OutputSettings {
  std::string name;
  CreateLink create = CreateLink::kNone;
  std::uint32_t mtu_bytes = 1'500;    ///< of one that is made
  std::vector<std::string> captured;  ///< interfaces that are listened on: what is sent must not come back by one of them
};

/// Purpose: finds or makes the interface, gives senders for it, and removes at the end what was made.
/// Invariant: what is made is up, speaks no ARP and no IPv6 of its own, and bears a mark in its alias by which one that a killed
/// run left behind is taken over. Needs CAP_NET_RAW, to make one CAP_NET_ADMIN. One owner, one thread; senders go to others.
class OutputInterface {
 public:
  static constexpr std::uint32_t kLeastMtu = 256;  ///< bytes: headers, options and something to carry

  static std::expected<std::unique_ptr<OutputInterface>, Error> open(const OutputSettings& settings);
  OutputInterface(const OutputInterface&) = delete;
  OutputInterface& operator=(const OutputInterface&) = delete;
  ~OutputInterface();

  std::uint32_t mtu_bytes() const { return mtu_bytes_; }
  std::expected<LiveSender, Error> sender() const;

  enum class Change : std::uint8_t { kNone, kGone, kBack };
  /// To be called about once a second: an interface of that name that is there again is used again.
  Change look_after();

 private:
  OutputInterface(OutputSettings settings, LinkControl links);
  std::expected<Link, Error> make();
  std::expected<Link, Error> make_tap();
  std::expected<Link, Error> bring_up(const std::string& name);
  std::expected<void, Error> check(const Link& link);
  std::unexpected<Error> failed(std::string what, int error) const;
  std::unexpected<Error> refused(std::string what, std::string hint) const;

  OutputSettings settings_;
  LinkControl links_;
  std::string sends_on_;  ///< its name: of a veth pair the other end's
  std::shared_ptr<std::atomic<unsigned>> number_ = std::make_shared<std::atomic<unsigned>>(0);
  std::uint32_t mtu_bytes_ = 0;
  unsigned made_ = 0;  ///< the number of what is to be removed at the end
  int tap_ = -1;
  bool away_ = false;
};

}  // namespace weir::capture
