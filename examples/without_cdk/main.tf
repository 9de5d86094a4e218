# Terraform: terraform init && terraform apply
terraform {
  required_providers {
    archive = { source = "hashicorp/archive" }
    aws     = { source = "hashicorp/aws", version = ">= 5.78" }
  }
}

resource "aws_lambda_layer_version" "dependencies" {
  layer_name               = "letters-dependencies"
  filename                 = "dist/dependencies-layer-py3.13-arm64.zip"
  source_code_hash         = filebase64sha256("dist/dependencies-layer-py3.13-arm64.zip")
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = ["arm64"]
}

resource "aws_lambda_layer_version" "tidegate" {
  layer_name               = "letters-tidegate"
  filename                 = "dist/tidegate-layer-py3.13-arm64.zip"
  source_code_hash         = filebase64sha256("dist/tidegate-layer-py3.13-arm64.zip")
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = ["arm64"]
}

data "archive_file" "letters" {
  type        = "zip"
  source_dir  = "src"
  output_path = "dist/letters.zip"
}

resource "aws_lambda_function" "letters" {
  function_name    = "letters"
  filename         = data.archive_file.letters.output_path
  source_code_hash = data.archive_file.letters.output_base64sha256
  handler          = "app.handler"
  runtime          = "python3.13"
  architectures    = ["arm64"]
  memory_size      = 1024
  timeout          = 20
  role             = aws_iam_role.letters.arn
  layers           = [aws_lambda_layer_version.dependencies.arn, aws_lambda_layer_version.tidegate.arn]

  environment {
    variables = {
      TIDEGATE_NAMESPACE = "letters"
      TIDEGATE_TABLE     = aws_dynamodb_table.tidegate.name
    }
  }
}

resource "aws_dynamodb_table" "tidegate" {
  name         = "letters-tidegate"
  hash_key     = "pk"
  billing_mode = "PAY_PER_REQUEST"

  attribute {
    name = "pk"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_role" "letters" {
  name = "letters"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.letters.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

data "aws_iam_policy_document" "items" {
  statement {
    actions = [
      "dynamodb:ConditionCheckItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
    ]
    resources = [aws_dynamodb_table.tidegate.arn]
  }
}

resource "aws_iam_role_policy" "items" {
  name   = "items"
  role   = aws_iam_role.letters.name
  policy = data.aws_iam_policy_document.items.json
}

resource "aws_apigatewayv2_api" "letters" {
  name          = "letters"
  protocol_type = "HTTP"
  target        = aws_lambda_function.letters.arn
}

resource "aws_lambda_permission" "api" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.letters.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.letters.execution_arn}/*"
}

output "url" {
  value = aws_apigatewayv2_api.letters.api_endpoint
}
