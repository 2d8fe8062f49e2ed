#include "capture/link_control.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <utility>

namespace weir::capture {
namespace {

constexpr std::size_t kBuffer = 32 << 10;  // what the kernel asks for, for a reply on one interface, and more than any request

std::string_view text_of(const nlattr* attribute) {
  const std::string_view whole(static_cast<const char*>(mnl_attr_get_payload(attribute)), mnl_attr_get_payload_len(attribute));
  return whole.substr(0, whole.find('\0'));
}

int read_kind(const nlattr* attribute, void* into) {
  if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND) static_cast<Link*>(into)->kind = text_of(attribute);
  return MNL_CB_OK;
}

int read_attribute(const nlattr* attribute, void* into) {
  Link& link = *static_cast<Link*>(into);
  const std::uint32_t number = mnl_attr_get_payload_len(attribute) >= sizeof(std::uint32_t) ? mnl_attr_get_u32(attribute) : 0;
  switch (mnl_attr_get_type(attribute)) {
    case IFLA_MTU:
      link.mtu_bytes = number;
      break;
    case IFLA_LINK:
      link.below = number;
      break;
    case IFLA_LINK_NETNSID:
      link.below_is_elsewhere = true;
      break;
    case IFLA_MASTER:
      link.master = number;
      break;
    case IFLA_IFALIAS:
      link.alias = text_of(attribute);
      break;
    case IFLA_LINKINFO:
      return mnl_attr_parse_nested(attribute, read_kind, into);
    default:
      break;
  }
  return MNL_CB_OK;
}

/// One answer to RTM_GETLINK.
int read_link(const nlmsghdr* message, void* into) {
  if (message->nlmsg_type != RTM_NEWLINK || into == nullptr || mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return MNL_CB_OK;
  Link& link = *static_cast<Link*>(into);
  const auto* const fixed = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  link.number = static_cast<unsigned>(fixed->ifi_index);
  link.hardware = fixed->ifi_type;
  link.flags = fixed->ifi_flags;
  return mnl_attr_parse(message, sizeof(ifinfomsg), read_attribute, into);
}

/// A request on interfaces, to be filled with attributes.
class Request {
 public:
  Request(std::uint16_t type, std::uint16_t flags) : header_(mnl_nlmsg_put_header(buffer_.data())) {
    header_->nlmsg_type = type;
    header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    link_ = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header_, sizeof(ifinfomsg)));
  }
  nlmsghdr* header() { return header_; }
  ifinfomsg& link() { return *link_; }
  void text(std::uint16_t type, const std::string& value) { mnl_attr_put_strz(header_, type, value.c_str()); }
  void number(std::uint16_t type, std::uint32_t value) { mnl_attr_put_u32(header_, type, value); }

 private:
  alignas(nlmsghdr) std::array<char, kBuffer> buffer_{};
  nlmsghdr* header_;
  ifinfomsg* link_ = nullptr;
};

}  // namespace

std::expected<LinkControl, int> LinkControl::open() {
  mnl_socket* const socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket == nullptr) return std::unexpected(errno);
  LinkControl control(socket);
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) return std::unexpected(errno);
  return control;
}

LinkControl::LinkControl(LinkControl&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)), sequence_(other.sequence_) {}

LinkControl::~LinkControl() {
  if (socket_ != nullptr) mnl_socket_close(socket_);
}

int LinkControl::ask(void* message, Link* found) {
  auto* const header = static_cast<nlmsghdr*>(message);
  header->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_, header, header->nlmsg_len) < 0) return errno;
  alignas(nlmsghdr) std::array<char, kBuffer> answer;
  for (;;) {
    const ssize_t size = mnl_socket_recvfrom(socket_, answer.data(), answer.size());
    if (size < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    const int more = mnl_cb_run(answer.data(), static_cast<std::size_t>(size), sequence_, mnl_socket_get_portid(socket_), read_link, found);
    if (more < 0) return errno;
    if (more == MNL_CB_STOP) return 0;
  }
}

std::expected<Link, int> LinkControl::find(const std::string& name) {
  Request request(RTM_GETLINK, 0);
  request.text(IFLA_IFNAME, name);
  Link link;
  if (const int error = ask(request.header(), &link); error != 0) return std::unexpected(error);
  if (link.below_is_elsewhere || link.below == link.number) link.below = 0;
  return link;
}

int LinkControl::make_dummy(const std::string& name, std::uint32_t mtu_bytes) {
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.text(IFLA_IFNAME, name);
  request.number(IFLA_MTU, mtu_bytes);
  nlattr* const info = mnl_attr_nest_start(request.header(), IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "dummy");
  mnl_attr_nest_end(request.header(), info);
  return ask(request.header(), nullptr);
}

int LinkControl::make_veth(const std::string& name, const std::string& peer, std::uint32_t mtu_bytes) {
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.text(IFLA_IFNAME, name);
  request.number(IFLA_MTU, mtu_bytes);
  nlattr* const info = mnl_attr_nest_start(request.header(), IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "veth");
  nlattr* const data = mnl_attr_nest_start(request.header(), IFLA_INFO_DATA);
  nlattr* const other = mnl_attr_nest_start(request.header(), VETH_INFO_PEER);
  mnl_nlmsg_put_extra_header(request.header(), sizeof(ifinfomsg));
  request.text(IFLA_IFNAME, peer);
  request.number(IFLA_MTU, mtu_bytes);
  mnl_attr_nest_end(request.header(), other);
  mnl_attr_nest_end(request.header(), data);
  mnl_attr_nest_end(request.header(), info);
  return ask(request.header(), nullptr);
}

int LinkControl::change(const std::string& name, std::uint32_t add_flags, const std::string& alias) {
  Request request(RTM_NEWLINK, 0);
  request.link().ifi_flags = add_flags;
  request.link().ifi_change = add_flags;
  request.text(IFLA_IFNAME, name);
  if (!alias.empty()) mnl_attr_put_str(request.header(), IFLA_IFALIAS, alias.c_str());
  return ask(request.header(), nullptr);
}

int LinkControl::remove(unsigned number) {
  Request request(RTM_DELLINK, 0);
  request.link().ifi_index = static_cast<int>(number);
  return ask(request.header(), nullptr);
}

}  // namespace weir::capture
