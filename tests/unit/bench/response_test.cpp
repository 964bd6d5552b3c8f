#include "bench/load/response.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace weir::bench {
namespace {

constexpr std::string_view kChunked =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n1A;name=value\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";

std::string body_of(ResponseReader& reader, std::string_view bytes, std::size_t piece) {
  std::string body;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    EXPECT_TRUE(reader.read(bytes.substr(0, piece), [&](std::string_view part) { body += part; }));
  }
  return body;
}

TEST(ResponseReader, TakesChunksOutWhereverTheBytesAreCut) {
  for (std::size_t piece = 1; piece <= kChunked.size(); ++piece) {
    ResponseReader reader;
    EXPECT_EQ(body_of(reader, kChunked, piece), "helloabcdefghijklmnopqrstuvwxyz") << piece;
    EXPECT_TRUE(reader.has_ended()) << piece;
  }
}

TEST(ResponseReader, BodyWithoutChunksIsTakenAsItIs) {
  ResponseReader reader;
  EXPECT_EQ(body_of(reader, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: 5\r\n\r\n", 7),
            "data: 5\r\n\r\n");
  EXPECT_TRUE(reader.has_head());
  EXPECT_FALSE(reader.has_ended());
}

TEST(ResponseReader, OtherStatusIsAnErrorThatCanBeShown) {
  ResponseReader reader;
  const auto ignore = [](std::string_view) {};
  EXPECT_FALSE(reader.read("HTTP/1.1 503 Service Unavailable\r\n\r\nfull", ignore));
  EXPECT_TRUE(reader.head().starts_with("HTTP/1.1 503"));
}

TEST(ResponseReader, SizeThatIsNoneIsAnError) {
  for (const std::string_view size : {"zz\r\n", "-1\r\n", "fffffffffffffffff\r\n"}) {
    ResponseReader reader;
    const auto ignore = [](std::string_view) {};
    ASSERT_TRUE(reader.read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ignore));
    EXPECT_FALSE(reader.read(size, ignore)) << size;
  }
}

}  // namespace
}  // namespace weir::bench
