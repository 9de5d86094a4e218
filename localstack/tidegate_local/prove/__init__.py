"""`tidegate prove-aws`: the stage `aws` deployed to a throwaway environment, proven, measured and destroyed."""
