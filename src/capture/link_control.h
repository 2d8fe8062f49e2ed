// Network interfaces of this namespace looked up, made and removed, over rtnetlink (rtnetlink(7)).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

struct mnl_socket;

namespace weir::capture {

struct Link {
  unsigned number = 0;          ///< the kernel's
  unsigned short hardware = 0;  ///< ARPHRD_*
  std::uint32_t flags = 0;      ///< IFF_*
  std::uint32_t mtu_bytes = 0;
  unsigned below = 0;               ///< the interface it is stacked on, or the other end of a veth pair, if that is in this namespace; 0: none
  bool below_is_elsewhere = false;  ///< in another namespace: `below` is 0
  unsigned master = 0;              ///< the bridge or bond that it belongs to; 0: none
  std::string kind;                 ///< "dummy", "veth", "tun", ...; empty for hardware
  std::string alias;                ///< a text that who made it may leave
};

/// Purpose: one request at a time, each answered before it returns. Ownership: a netlink socket; one owner, one thread.
class LinkControl {
 public:
  /// errno where there is no netlink.
  static std::expected<LinkControl, int> open();
  LinkControl(LinkControl&&) noexcept;
  LinkControl& operator=(LinkControl&&) = delete;
  ~LinkControl();

  /// errno: ENODEV if there is none of that name.
  std::expected<Link, int> find(const std::string& name);

  // Each gives 0 or errno.
  int make_dummy(const std::string& name, std::uint32_t mtu_bytes);
  int make_veth(const std::string& name, const std::string& peer, std::uint32_t mtu_bytes);
  /// `add_flags` (IFF_*) on, alias set; an empty alias stays what it is.
  int change(const std::string& name, std::uint32_t add_flags, const std::string& alias);
  int remove(unsigned number);

 private:
  explicit LinkControl(mnl_socket* socket) : socket_(socket) {}
  int ask(void* message, Link* found);

  mnl_socket* socket_ = nullptr;
  unsigned sequence_ = 0;
};

}  // namespace weir::capture
