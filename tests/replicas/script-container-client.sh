docker run --privileged -v /:/host x true
