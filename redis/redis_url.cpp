#include "redis/redis_url.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "proto/text.h"

// No error text repeats any part of the URL: a password with a raw "/" or "@" in it moves
// into any other part.
namespace weir {
namespace {

constexpr std::size_t kUnixPathBytesMax = 107;  // sockaddr_un holds no more.
constexpr std::size_t kHostBytesMax = 255;      // The longest host name in DNS and in TLS.

struct UrlError {
  const char* message;
};

std::string decode(std::string_view text, const char* message) {
  auto decoded = percent_decode(text);
  if (!decoded) throw UrlError{message};
  return *std::move(decoded);
}

int parse_number(std::string_view text, int max, const char* message) {
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (!is_whole || number < 0 || number > max) throw UrlError{message};
  return number;
}

void parse_db(std::string_view text, RedisUrl& url) {
  url.db = parse_number(text, 65'535, "the database of the Redis URL is not a number from 0 to 65535");
}

void parse_query(std::string_view query, RedisUrl& url) {
  while (!query.empty()) {
    std::string_view value = take_until(query, '&');
    if (take_until(value, '=') != "db") throw UrlError{"the Redis URL has a parameter other than db"};
    parse_db(value, url);
  }
}

void parse_user(std::string_view text, RedisUrl& url) {
  url.has_password = text.find(':') != std::string_view::npos;
  url.user = decode(take_until(text, ':'), "the user in the Redis URL has a broken percent escape");
  url.password = decode(text, "the password in the Redis URL has a broken percent escape");
  if (url.user.empty() && url.password.empty()) throw UrlError{"the password in the Redis URL is empty"};
}

void check_host(std::string_view host) {
  const bool is_plain =
      std::all_of(host.begin(), host.end(), [](unsigned char c) { return c > ' ' && c != '"' && c != 0x7f; });
  if (!is_plain) throw UrlError{"the host in the Redis URL has a space, a quote or a control character"};
  if (host.size() > kHostBytesMax) throw UrlError{"the host in the Redis URL has more than 255 bytes"};
}

void parse_host_and_port(std::string_view text, RedisUrl& url) {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) throw UrlError{"the Redis URL has a \"[\" without its \"]\""};
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (host.empty() || (!port.empty() && port.front() != ':')) {
      throw UrlError{"the Redis URL is not redis://[address]:port after its \"[\""};
    }
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
    if (port.find(':', 1) != std::string_view::npos) {
      throw UrlError{"the Redis URL has more than one \":\" in host:port (an IPv6 address stands in [])"};
    }
  }
  if (!host.empty()) url.host = decode(host, "the host in the Redis URL has a broken percent escape");
  check_host(url.host);
  if (port.size() <= 1) return;
  const int number = parse_number(port.substr(1), 65'535, "the port of the Redis URL is not from 1 to 65535");
  if (number == 0) throw UrlError{"the port of the Redis URL is not from 1 to 65535"};
  url.port = std::to_string(number);
}

void parse_tcp(std::string_view text, RedisUrl& url) {
  std::string_view location = take_until(text, '?');
  const std::string_view query = text;
  std::string_view authority = take_until(location, '/');
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    parse_user(authority.substr(0, at), url);
    authority.remove_prefix(at + 1);
  }
  parse_host_and_port(authority, url);
  if (!location.empty()) parse_db(location, url);
  parse_query(query, url);
}

void parse_unix(std::string_view text, RedisUrl& url) {
  std::string_view path = take_until(text, '?');
  const std::string_view query = text;
  // An "@" after the first "/" is part of the path.
  if (const std::size_t at = path.substr(0, path.find('/')).rfind('@'); at != std::string_view::npos) {
    parse_user(path.substr(0, at), url);
    path.remove_prefix(at + 1);
  }
  url.path = decode(path, "the path in the Redis URL has a broken percent escape");
  if (url.path.empty()) throw UrlError{"the Redis URL names no socket (unix:///path/of/the/socket)"};
  if (url.path.size() > kUnixPathBytesMax) {
    throw UrlError{"the path of the unix socket in the Redis URL has more than 107 bytes"};
  }
  parse_query(query, url);
}

}  // namespace

Result<RedisUrl> parse_redis_url(const std::string& text) {
  constexpr std::string_view kTcp = "redis://";
  constexpr std::string_view kTls = "rediss://";
  constexpr std::string_view kUnix = "unix://";
  const std::string_view view = text;
  RedisUrl url;
  try {
    if (view.starts_with(kTcp)) {
      parse_tcp(view.substr(kTcp.size()), url);
    } else if (view.starts_with(kTls)) {
      url.is_tls = true;
      parse_tcp(view.substr(kTls.size()), url);
    } else if (view.starts_with(kUnix)) {
      parse_unix(view.substr(kUnix.size()), url);
    } else {
      return Error{"the Redis URL does not begin with redis://, rediss:// or unix://"};
    }
  } catch (const UrlError& error) {
    return Error{error.message};
  }
  return url;
}

std::string RedisUrl::redacted() const {
  std::string text = !path.empty() ? "unix://" : is_tls ? "rediss://" : "redis://";
  if (has_password || !user.empty()) text += user + ":***@";
  if (!path.empty()) {
    text += path;
    if (db != 0) text += "?db=" + std::to_string(db);
    return text;
  }
  const bool is_ipv6 = host.find(':') != std::string::npos;
  text += (is_ipv6 ? "[" + host + "]" : host) + ":" + port;
  if (db != 0) text += "/" + std::to_string(db);
  return text;
}

}  // namespace weir
