#include "broker/http/chunk_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

constexpr std::size_t kNoLimit = 1 << 20;

struct Decoded {
  ChunkDecoder::State state;
  std::string body;
  std::size_t taken;
};

// Hands `input` over `step` bytes at a time.
Decoded decode(const std::string& input, std::size_t step) {
  ChunkDecoder decoder;
  Decoded decoded{ChunkDecoder::State::kOpen, "", 0};
  for (std::size_t at = 0; at < input.size(); at += step) {
    decoded.taken += decoder.feed(std::string_view(input).substr(at, step), decoded.body, kNoLimit);
    if (decoder.state() != ChunkDecoder::State::kOpen) break;
  }
  decoded.state = decoder.state();
  return decoded;
}

TEST(Chunks, AreJoinedHoweverTheyArrive) {
  const std::string input = "5\r\nhello\r\n006 ; name=\"v\"\r\n world\r\n0\r\n\r\n";
  for (std::size_t step = 1; step <= input.size(); ++step) {
    const Decoded decoded = decode(input, step);
    EXPECT_EQ(decoded.state, ChunkDecoder::State::kDone) << step;
    EXPECT_EQ(decoded.body, "hello world") << step;
  }
}

TEST(Chunks, LeaveWhatFollows) {
  const std::string input = "1\r\nx\r\n0\r\nTrailer: y\r\n\r\n";
  const Decoded decoded = decode(input + "GET / HTTP/1.1\r\n", 1'000);
  EXPECT_EQ(decoded.state, ChunkDecoder::State::kDone);
  EXPECT_EQ(decoded.taken, input.size());
}

TEST(Chunks, MayHoldAnyBytes) {
  const std::string data("\0\r\n\xff", 4);
  EXPECT_EQ(decode("4\r\n" + data + "\r\n0\r\n\r\n", 3).body, data);
}

TEST(Chunks, AreRefusedWhereTheyAreAmbiguous) {
  for (const char* input :
       {"x\r\n", "\r\n", "-1\r\nx\r\n", "0x1\r\nx\r\n", "10000000000000001\r\n", "1\nx\r\n", "1\r\nxyz\r\n",
        "1\r\nx\n", "1 2\r\nx\r\n", "1;\r\rx\r\n", "0\r\nTrailer: x\n\r\n", " 1\r\nx\r\n"}) {
    EXPECT_EQ(decode(input, 1).state, ChunkDecoder::State::kRefused) << input;
  }
}

TEST(Chunks, HaveBoundedExtensionsAndTrailers) {
  EXPECT_EQ(decode("1;" + std::string(2'000, 'a'), 100).state, ChunkDecoder::State::kRefused);
  std::string trailers;
  for (int i = 0; i < 100; ++i) trailers += "X: " + std::string(200, 'a') + "\r\n";
  EXPECT_EQ(decode("0\r\n" + trailers, 100).state, ChunkDecoder::State::kRefused);
}

TEST(Chunks, AreTooLongAsSoonAsTheirSizeIsKnown) {
  for (const char* sizes : {"5\r\n", "2\r\n01\r\n3\r\n", "ffffffffffffffff\r\n"}) {
    ChunkDecoder decoder;
    std::string body;
    decoder.feed(sizes, body, 4);
    EXPECT_EQ(decoder.state(), ChunkDecoder::State::kTooLong) << sizes;
  }
  ChunkDecoder decoder;
  std::string body;
  decoder.feed("4\r\n0123\r\n0\r\n\r\n", body, 4);
  EXPECT_EQ(decoder.state(), ChunkDecoder::State::kDone);
}

}  // namespace
}  // namespace weir
